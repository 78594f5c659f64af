// The words of PromQL with their shapes. It knows no series.

/** Functions and what they take; words in brackets may be left out. */
export const FUNCTIONS: Record<string, string> = {
  abs: 'v', absent: 'v', absent_over_time: 'v[r]', acos: 'v', acosh: 'v', asin: 'v', asinh: 'v', atan: 'v', atanh: 'v',
  avg_over_time: 'v[r]', ceil: 'v', changes: 'v[r]', clamp: 'v, min, max', clamp_max: 'v, max', clamp_min: 'v, min', cos: 'v', cosh: 'v',
  count_over_time: 'v[r]', day_of_month: '[v]', day_of_week: '[v]', day_of_year: '[v]', days_in_month: '[v]', deg: 'v', delta: 'v[r]', deriv: 'v[r]', exp: 'v', floor: 'v',
  histogram_quantile: 'φ, buckets', holt_winters: 'v[r], sf, tf', hour: '[v]', idelta: 'v[r]', increase: 'v[r]', irate: 'v[r]',
  label_join: 'v, dst, separator, src…', label_replace: 'v, dst, replacement, src, regex', last_over_time: 'v[r]', ln: 'v', log10: 'v', log2: 'v',
  max_over_time: 'v[r]', min_over_time: 'v[r]', minute: '[v]', month: '[v]', pi: '', predict_linear: 'v[r], seconds', present_over_time: 'v[r]',
  quantile_over_time: 'φ, v[r]', rad: 'v', rate: 'v[r]', resets: 'v[r]', round: 'v, [to]', scalar: 'v', sgn: 'v', sin: 'v', sinh: 'v', sort: 'v', sort_desc: 'v', sqrt: 'v',
  stddev_over_time: 'v[r]', stdvar_over_time: 'v[r]', sum_over_time: 'v[r]', tan: 'v', tanh: 'v', time: '', timestamp: 'v', vector: 's', year: '[v]',
};

export const AGGREGATIONS: Record<string, string> = {
  avg: 'v', bottomk: 'k, v', count: 'v', count_values: 'label, v', group: 'v', max: 'v', min: 'v', quantile: 'φ, v', stddev: 'v', stdvar: 'v', sum: 'v', topk: 'k, v',
};

/** Words that are followed by a list of labels. */
export const GROUPINGS = ['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'];

export const WORDS = [...GROUPINGS, 'and', 'or', 'unless', 'atan2', 'offset', 'bool', 'start', 'end'];

export const DURATIONS = ['1m', '5m', '10m', '30m', '1h', '6h', '1d', '7d'];
