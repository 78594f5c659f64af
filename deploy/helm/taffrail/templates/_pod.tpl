{{- define "taffrail.pod" -}}
metadata:
  labels:
    app.kubernetes.io/name: taffrail
spec:
  serviceAccountName: taffrail
  automountServiceAccountToken: true
  terminationGracePeriodSeconds: 60
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if gt (int .Values.replicas) 1 }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          app.kubernetes.io/name: taffrail
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: taffrail
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      args:
        - serve
        - "--listen=[::]:8082"
        - --data-dir=/var/lib/taffrail
        {{- if .Values.heapsterService }}
        - --login=dashboard
        {{- end }}
        {{- if .Values.scrape }}
        - --scrape=annotations,monitors
        {{- end }}
        {{- if gt (int .Values.replicas) 1 }}
        - --lease-namespace={{ .Release.Namespace }}
        - "--peer-listen=[::]:8083"
        - --peer-address=$(POD_IP)
        - --peer-name=$(POD_NAME)
        - --peer-token-file=/etc/taffrail/peers/token
        {{- end }}
        {{- if or .Values.metricsServer .Values.customMetrics }}
        - --secure-port=10250
        {{- end }}
        {{- if .Values.dashboardScraper }}
        - "--sidecar-listen=[::]:8000"
        {{- end }}
        {{- if .Values.push.enabled }}
        - --push-token-file=/etc/taffrail/push/token
        - "--otlp-grpc-listen=[::]:4317"
        {{- end }}
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      {{- if gt (int .Values.replicas) 1 }}
      env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: POD_IP
          valueFrom:
            fieldRef:
              fieldPath: status.podIP
      {{- end }}
      ports:
        - name: http
          containerPort: 8082
        {{- if gt (int .Values.replicas) 1 }}
        - name: peers
          containerPort: 8083
        {{- end }}
        {{- if or .Values.metricsServer .Values.customMetrics }}
        - name: https
          containerPort: 10250
        {{- end }}
        {{- if .Values.dashboardScraper }}
        - name: scraper
          containerPort: 8000
        {{- end }}
        {{- if .Values.push.enabled }}
        - name: otlp-grpc
          containerPort: 4317
        {{- end }}
      readinessProbe:
        httpGet:
          path: /healthz
          port: http
        periodSeconds: 10
      livenessProbe:
        tcpSocket:
          port: http
        periodSeconds: 20
      startupProbe:
        tcpSocket:
          port: http
        periodSeconds: 5
        failureThreshold: 60
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: data
          mountPath: /var/lib/taffrail
        {{- if gt (int .Values.replicas) 1 }}
        - name: peers
          mountPath: /etc/taffrail/peers
          readOnly: true
        {{- end }}
        {{- if .Values.push.enabled }}
        - name: push
          mountPath: /etc/taffrail/push
          readOnly: true
        {{- end }}
  volumes:
    {{- if gt (int .Values.replicas) 1 }}
    - name: peers
      secret:
        secretName: {{ .Values.peers.secretName }}
    {{- else }}
    - name: data
      persistentVolumeClaim:
        claimName: taffrail-data
    {{- end }}
    {{- if .Values.push.enabled }}
    - name: push
      secret:
        secretName: {{ .Values.push.secretName }}
    {{- end }}
{{- end }}

{{- define "taffrail.storage" -}}
accessModes: [ReadWriteOnce]
{{- with .Values.storage.className }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.storage.size }}
{{- end }}
