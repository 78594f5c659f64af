// PromQL 页面的语句，简体中文。
import type { Catalogue } from './en';

export const explore: Catalogue['explore'] = {
  expression: 'PromQL 表达式',
  query: (number) => `表达式 ${number}`,
  run: '运行',
  add: '添加表达式',
  remove: (number) => `删除表达式 ${number}`,
  graph: '图',
  table: '表格',
  result: '结果',
  nothing: '请输入表达式；名称、标签和值会自动补全。按 Enter 运行。',
  empty: '此范围内表达式没有结果。',
  unknown: (name) => `没有名为“${name}”的序列。`,
  hint: 'sum by (namespace) (rate(container_cpu_usage_seconds_total[5m]))',
  examples: '示例',
  suggestions: '建议',
  found: (count) => `${count} 条建议`,
  keys: 'Enter 运行，Shift+Enter 换行。Ctrl+空格给出建议；上下键选择，Tab 采用，Esc 关闭。',
  kinds: { metric: '指标', function: '函数', aggregation: '聚合', word: '关键字', label: '标签', value: '值', duration: '时长' },
  wrongAt: (line, column) => `第 ${line} 行第 ${column} 列：`,
  series: (count) => `${count} 条曲线`,
  most: (shown, total) => `绘制了 ${total} 条曲线中的前 ${shown} 条。`,
  value: '值',
  labels: '标签',
  link: '在探索页查看',
};
