// Sentences about pods with problems and about what somebody may not see, in English.
export const trouble = {
  title: 'Pods with problems',
  none: 'No pod has a problem',
  problems: {
    crashLoop: 'ends again and again',
    imagePull: 'its image does not come',
    cannotStart: 'cannot start',
    pending: 'waits for too long',
    oomKilled: 'ended for want of memory',
    notReady: 'not ready for long',
    overMemory: 'at its memory limit',
    overCpu: 'at its CPU limit',
    throttled: 'throttled',
    failed: 'failed',
  } as Record<string, string>,
  container: (name: string) => `container ${name}`,
  lastEnd: (reason: string, code: number, time: string) => `last end ${reason || 'unknown'}, exit code ${code}, ${time}`,
  ofLimit: (percent: string) => `${percent} of its limit`,
  ofPeriods: (percent: string) => `${percent} of its periods in 5 minutes`,
  unscheduled: 'no node takes it',
  since: (time: string, age: string) => `since ${time} (${age})`,
  showAll: (count: string) => `Show all ${count}`,
  most: (shown: string, total: string) => `The worst ${shown} of ${total}.`,
  restarts: 'Most restarts',
  noRestarts: 'No container has restarted',
  times: (count: string) => `${count} restarts`,

  ownerFilter: 'Of a workload, such as Deployment/web',
  figures: {
    warnings: 'Warnings',
    inRange: 'events in the time range',
    volumes: 'Volumes nearly full',
    volumesNote: 'claimed, above 85%',
    collectors: 'Nodes measured',
    collectorsNote: (failed: string, skipped: string) => `${failed} failed, ${skipped} skipped`,
  },

  closed: {
    title: 'Not with your rights',
    nodes: 'This page is about nodes. It takes the right to list nodes, which you do not have.',
    whole: 'This page is about the whole cluster. It takes the right to list nodes, and pods in all namespaces, which you do not have.',
    rest: 'Targets, diagnosis, history, sinks and replicas are about the whole cluster: they are shown to whoever may list nodes, and pods in all namespaces.',
    alerts: 'You see the alerts of your namespaces. Silences and rules are the whole cluster’s.',
    namespaces: 'The graphs show your namespaces.',
  },

  save: { csv: 'Save as CSV', ndjson: 'Save as JSON lines', capped: (most: string) => `A file holds the newest ${most} events.` },

  graphs: {
    other: (count: string) => `${count} others`,
    system: 'others and system',
    pinned: 'pinned',
    unpin: 'Unpin',
    copy: 'Copy',
    replicas: 'Replicas',
    wanted: 'wanted',
    present: 'present',
    ready: 'ready',
    leastScaled: 'HPA min',
    mostScaled: 'HPA max',
  },

  scaler: {
    title: 'Autoscaler',
    of: (name: string, min: string, max: string, current: string, wanted: string) => `${name}: ${min} to ${max}, now ${current}, wants ${wanted}`,
    metric: (name: string, current: string, target: string) => `${name} ${current} of ${target}`,
  },

  around: 'show the time around it',
  object: 'Name of the object',

  revision: (number: string, images: string) => `revision ${number}: ${images}`,
};
