// 关于有问题的 Pod 和无权查看的内容的语句，简体中文。
import type { trouble as en } from './en.trouble';

export const trouble: typeof en = {
  title: '有问题的 Pod',
  none: '没有 Pod 有问题',
  problems: {
    crashLoop: '反复崩溃',
    imagePull: '无法拉取镜像',
    cannotStart: '无法启动',
    pending: '等待过久',
    oomKilled: '因内存不足被终止',
    notReady: '长时间未就绪',
    overMemory: '达到内存限制',
    overCpu: '达到 CPU 限制',
    throttled: '被限流',
    failed: '失败',
  },
  container: (name) => `容器 ${name}`,
  lastEnd: (reason, code, time) => `上次结束:${reason || '未知'},退出码 ${code},${time}`,
  ofLimit: (percent) => `限制的 ${percent}`,
  ofPeriods: (percent) => `5 分钟内 ${percent} 的周期`,
  unscheduled: '没有节点接纳它',
  since: (time, age) => `自 ${time}(${age})`,
  showAll: (count) => `显示全部 ${count} 个`,
  most: (shown, total) => `最严重的 ${shown} 个,共 ${total} 个。`,
  restarts: '重启最多',
  noRestarts: '没有容器重启过',
  times: (count) => `重启 ${count} 次`,

  ownerFilter: '属于某个工作负载,例如 Deployment/web',
  figures: {
    warnings: '警告',
    inRange: '时间范围内的事件',
    volumes: '将满的存储卷',
    volumesNote: '有声明,超过 85%',
    collectors: '已测量节点',
    collectorsNote: (failed, skipped) => `失败 ${failed},跳过 ${skipped}`,
  },

  closed: {
    title: '您的权限不足',
    nodes: '此页面关于节点,需要列出节点的权限,而您没有。',
    whole: '此页面关于整个集群,需要列出节点以及所有命名空间中 Pod 的权限,而您没有。',
    rest: '采集目标、诊断、历史、输出和副本关于整个集群:只显示给可以列出节点以及所有命名空间中 Pod 的人。',
    alerts: '您看到的是您的命名空间的告警。静默和规则属于整个集群。',
    namespaces: '图表显示您的命名空间。',
  },

  save: { csv: '存为 CSV', ndjson: '存为 JSON 行', capped: (most) => `文件包含最新的 ${most} 个事件。` },

  graphs: {
    other: (count) => `其他 ${count} 个`,
    system: '其他与系统',
    pinned: '已固定',
    unpin: '取消固定',
    copy: '复制',
    replicas: '副本',
    wanted: '期望',
    present: '现有',
    ready: '就绪',
    leastScaled: 'HPA 最小',
    mostScaled: 'HPA 最大',
  },

  scaler: {
    title: '自动伸缩',
    of: (name, min, max, current, wanted) => `${name}:${min} 到 ${max},现在 ${current},期望 ${wanted}`,
    metric: (name, current, target) => `${name} ${current},目标 ${target}`,
  },

  around: '显示前后的时间',
  object: '对象名称',

  revision: (number, images) => `修订版 ${number}:${images}`,
};
