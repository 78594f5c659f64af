//! Expressions over every function, operator and modifier, and seeded combinations of them.

use super::samples::START_MS;

const EACH: [&str; 26] = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "deg",
    "exp",
    "floor",
    "ln",
    "log10",
    "log2",
    "rad",
    "round",
    "sgn",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "absent",
    "timestamp",
];
const CALENDAR: [&str; 8] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "year",
];
const OVER: [&str; 20] = [
    "avg_over_time",
    "changes",
    "count_over_time",
    "delta",
    "deriv",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "rate",
    "resets",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "absent_over_time",
    "quantile_over_time",
    "predict_linear",
];
const AGGREGATE: [&str; 8] = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
const ARITHMETIC: [&str; 7] = ["+", "-", "*", "/", "%", "^", "atan2"];
const COMPARISON: [&str; 6] = ["==", "!=", ">", "<", ">=", "<="];
const SET: [&str; 3] = ["and", "or", "unless"];
const INSTANT: [&str; 14] = [
    "g",
    "c",
    "k",
    "gap",
    "odd",
    "u",
    "info",
    "one",
    "t",
    "h_bucket",
    "g{l=\"a\"}",
    "g{l=~\"a|b\",m!=\"x\"}",
    "c{l!~\"a.*\"}",
    "{__name__=~\"g|k\",l=\"c\"}",
];
const GROUPING: [&str; 6] =
    ["", "by (l)", "without (l)", "by (l, m)", "by (none)", "by (__name__, m)"];

/// All expressions, each once.
pub(crate) fn all(nested: u64) -> Vec<String> {
    let mut all: Vec<String> = LISTED.iter().map(|text| (*text).to_owned()).collect();
    functions(&mut all);
    operators(&mut all);
    aggregations(&mut all);
    for seed in 0..nested {
        all.push(Nested(seed).vector(3));
    }
    all.sort();
    all.dedup();
    all
}

fn shifts() -> [String; 9] {
    let at = START_MS / 1000 + 4000;
    [
        String::new(),
        " offset 7m".to_owned(),
        " offset -4m".to_owned(),
        format!(" @ {at}"),
        " @ start()".to_owned(),
        " @ end()".to_owned(),
        format!(" @ {at} offset 3m"),
        format!(" offset -3m @ {at}.5"),
        " @ end() offset 1h".to_owned(),
    ]
}

fn over(function: &str, range: &str) -> String {
    match function {
        "quantile_over_time" => format!("quantile_over_time(0.3, {range})"),
        "predict_linear" => format!("predict_linear({range}, 300)"),
        "holt_winters" => format!("holt_winters({range}, 0.4, 0.2)"),
        _ => format!("{function}({range})"),
    }
}

fn functions(all: &mut Vec<String>) {
    for selector in INSTANT {
        for shift in shifts() {
            all.push(format!("{selector}{shift}"));
        }
    }
    for function in EACH {
        for selector in ["g", "u", "odd", "gap", "t"] {
            all.push(format!("{function}({selector})"));
        }
        for shift in shifts() {
            all.push(format!("{function}(gap{shift})"));
        }
    }
    for function in CALENDAR {
        all.extend([format!("{function}()"), format!("{function}(t)"), format!("{function}(g)")]);
        all.push(format!("{function}(t @ start())"));
    }
    for function in OVER.into_iter().chain(["holt_winters"]) {
        for selector in ["g", "c", "k", "gap", "odd", "one"] {
            for range in ["45s", "5m", "17m"] {
                all.push(over(function, &format!("{selector}[{range}]")));
            }
        }
        for shift in shifts() {
            all.push(over(function, &format!("c[5m]{shift}")));
            all.push(over(function, &format!("c[10m:45s]{shift}")));
            all.push(over(function, &format!("gap[20m:]{shift}")));
            all.push(over(function, &format!("sum(c{shift})[10m:1m]")));
        }
    }
}

fn operators(all: &mut Vec<String>) {
    for op in ARITHMETIC.into_iter().chain(COMPARISON) {
        let bool_of = if COMPARISON.contains(&op) { " bool" } else { "" };
        all.push(format!("2.5 {op}{bool_of} 1.5"));
        for selector in ["g", "gap", "odd", "k"] {
            all.push(format!("{selector} {op} 3"));
            all.push(format!("3 {op} {selector}"));
            all.push(format!("3 {op}{bool_of} {selector}"));
            all.push(format!("{selector} {op} time()"));
            all.push(format!("{selector} {op} {selector} offset 5m"));
            all.push(format!("{selector} {op}{bool_of} {selector} offset 5m"));
        }
        for pair in [
            "g OP k",
            "g OP on (l, m) c",
            "g OP ignoring (m) k",
            "gap OP on (l) odd",
            "g OP on (l) group_left info",
            "g OP on (l) group_left (version) info",
            "info OP on (l) group_right g",
            "info OP on (l) group_right (version) gap",
            "g OP ignoring (m, version) group_left (version) info",
            "gap OP on (l) group_right g",
            "g OP on (l) gap",
            "gap OP on (l) g",
            "g OP on () one",
            "gap OP ignoring (l) one",
            "g{l=\"none\"} OP on (l) g",
            "sum by (l) (g) OP avg by (l) (c)",
        ] {
            all.push(pair.replace("OP", op));
            all.push(pair.replace("OP", &format!("{op}{bool_of}")));
        }
    }
    for op in SET {
        for pair in [
            "g OP k",
            "g OP on (l) gap",
            "gap OP ignoring (m) g",
            "gap OP on (l) odd",
            "g OP on () vector(1)",
            "gap OP gap offset 9m",
            "gap OP on (none) odd",
            "g OP c OP k",
        ] {
            all.push(pair.replace("OP", op));
        }
    }
}

fn aggregations(all: &mut Vec<String>) {
    for grouping in GROUPING {
        for inner in ["g", "gap", "odd", "k", "rate(c[5m])", "g @ start()", "{l=\"a\"}"] {
            for op in AGGREGATE {
                all.push(format!("{op} {grouping} ({inner})"));
            }
            for op in ["topk", "bottomk"] {
                all.push(format!("{op} {grouping} (2, {inner})"));
            }
            all.push(format!("quantile {grouping} (0.35, {inner})"));
            all.push(format!("quantile {grouping} (scalar(one), {inner})"));
            all.push(format!("count_values {grouping} (\"v\", {inner})"));
        }
    }
}

/// What the loops do not make.
const LISTED: &[&str] = &[
    "1",
    "\"text\"",
    "time()",
    "pi()",
    "-1",
    "vector(time())",
    "scalar(one)",
    "scalar(g)",
    "scalar(gap{l=\"a\"})",
    "vector(scalar(one))",
    "-g",
    "-gap",
    "-(g + k)",
    "+g",
    "- - g",
    "-{__name__=~\"g|k\"}",
    "abs({__name__=~\"g|k\",l=\"a\"})",
    "absent(none{l=\"x\"})",
    "absent(none{l=\"x\",l=\"y\",m=~\"z\"})",
    "absent(sum(none))",
    "absent((none{a=\"b\"}))",
    "absent(gap{l=\"a\"})",
    "absent_over_time(none{l=\"x\"}[5m])",
    "absent_over_time(gap{l=\"a\"}[3m])",
    "absent_over_time(none{l=\"x\"}[5m:1m])",
    "clamp(g, -10, 10)",
    "clamp(g, 10, -10)",
    "clamp(odd, -10, 10)",
    "clamp_max(odd, 5)",
    "clamp_min(odd, 5)",
    "clamp(g, scalar(one), time())",
    "clamp_min(g, NaN)",
    "clamp(g, NaN, 1)",
    "round(g, 0.3)",
    "round(g, -5)",
    "round(odd, 10)",
    "round(g, scalar(one))",
    "sort(g)",
    "sort_desc(g)",
    "sort(gap)",
    "sort_desc(u)",
    "sort(rate(c[5m]))",
    "label_replace(g, \"new\", \"$1-x\", \"l\", \"(.*)\")",
    "label_replace(g, \"l\", \"\", \"m\", \"x\")",
    "label_replace(g, \"l\", \"z\", \"m\", \"x\")",
    "label_replace(g, \"__name__\", \"${1}_q\", \"__name__\", \"(.)\")",
    "label_replace(g, \"new\", \"$$1 $1x $\", \"l\", \"(a|b)\")",
    "label_replace(g, \"1\", \"\", \"l\", \"\")",
    "label_replace(g, \"a\", \"\", \"l\", \"(\")",
    "label_join(g, \"new\", \"/\", \"l\", \"m\", \"none\")",
    "label_join(g, \"l\", \"\", \"none\")",
    "label_join(g, \"new\", \"/\")",
    "histogram_quantile(0.9, h_bucket)",
    "histogram_quantile(0.5, rate(h_bucket[5m]))",
    "histogram_quantile(0, h_bucket)",
    "histogram_quantile(1, h_bucket)",
    "histogram_quantile(-1, h_bucket)",
    "histogram_quantile(2, h_bucket)",
    "histogram_quantile(NaN, h_bucket)",
    "histogram_quantile(scalar(one), h_bucket)",
    "histogram_quantile(0.99, sum by (le) (rate(h_bucket[5m])))",
    "histogram_quantile(0.5, h_bucket{le!=\"+Inf\"})",
    "histogram_quantile(0.5, h_bucket{le=\"+Inf\"})",
    "histogram_quantile(0.5, g)",
    "histogram_quantile(0.5, label_replace(h_bucket, \"le\", \"0.1\", \"le\", \"0.25\"))",
    "histogram_count(g)",
    "histogram_sum(g)",
    "histogram_fraction(0, 1, g)",
    "histogram_quantile(0.5, h_bucket or label_replace(h_bucket, \"__name__\", \"other\", \"\", \"\"))",
    "timestamp(timestamp(g))",
    "timestamp(g + 0)",
    "timestamp((g))",
    "timestamp(vector(1))",
    "topk(scalar(one) * 5, g @ start())",
    "topk(3, k)",
    "bottomk(4, k)",
    "topk(-1, g)",
    "topk(0.5, g)",
    "topk(NaN, g)",
    "topk(1e30, g)",
    "topk(100, g)",
    "quantile(NaN, g)",
    "quantile(-1, g)",
    "quantile(2, g)",
    "count_values(\"l\", k)",
    "count_values(\"1\", k)",
    "count_values without (m) (\"l\", k)",
    "count_values by (l) (\"l\", k)",
    "quantile_over_time(scalar(one), g[5m])",
    "quantile_over_time(NaN, g[5m])",
    "quantile_over_time(time(), g[5m] @ end())",
    "predict_linear(g[10m], time() % 100)",
    "predict_linear(c[10m] @ end(), 60)",
    "predict_linear(c[10m:30s] @ end(), 60)",
    "holt_winters(g[5m], 1, 0.5)",
    "holt_winters(g[5m], 0.5, 0)",
    "holt_winters(g[10m:1m], scalar(one), 0.1)",
    "g[3m]",
    "gap[20m]",
    "g[5m:1m]",
    "rate(c[5m])[10m:1m]",
    "g[5m] offset 3m",
    "max_over_time(rate(c[5m])[30m:2m])",
    "max_over_time(max_over_time(g[3m:30s])[10m:1m])",
    "sum_over_time((g + k)[5m:])",
    "rate(c[5m:15s] offset 10m)",
    "avg_over_time(time()[10m:1m])",
    "rate(g)",
    "g[5m] + 1",
    "max_over_time(vector(time())[10m:77s])",
    "sum_over_time(vector(1)[10m:7s] @ end())",
    "rate({__name__=~\"c|g\"}[5m])",
    "last_over_time({__name__=~\"c|g\"}[5m])",
    "{l=~\".*\"}",
    "sum(sum by (l) (rate(c[5m])) / on (l) group_left sum by (l) (g))",
    "nope(g)",
    "1 == 1",
    "1 and 1",
    "g + bool 1",
    "g and on (l) group_left k",
    "sum(g, 1)",
    "topk(g)",
    "g == on (l) group_left (m) info",
    "1 > bool 2 == bool 0",
    "2 ^ 3 ^ 2",
    "-2 ^ 2",
    "1 + 2 * 3 - 4 / 5 % 6",
    "g > 0 < 20",
    "g * 2 > 10 and k",
    "a or b unless c",
    "(g > 0) + (g < 20)",
    "(gap > 3) or (gap < 3)",
    "(gap > 3) * 2 or gap",
    "sum(gap > 5)",
    "count(g > 0) by (l) / count(g) by (l)",
    "sum by (l) (2 * rate(c[5m]))",
    "avg by (l) (increase(c[5m]) / scalar(one))",
    "sum by (l) (1 * (delta(g[5m]) + time()))",
    "sum by (l) (g > bool 3)",
    "count by (l) (g > 3)",
    "count by (l) (2 < g)",
    "count by (l) (rate(c[5m]) > 0.5)",
    "sum by (__name__) (g > 0)",
    "sum by (__name__, l) (g * 2)",
    "sum by (__name__, l) (g atan2 2)",
    "max without (l) (10 - gap)",
    "sum by (l) ({__name__=~\"g|k\",m!=\"\"} > 2)",
    "min_over_time((gap > 3)[20m:1m])",
    "NaN",
    "Inf",
    "-Inf",
    "0x1f",
    "1e3",
    ".5",
    "g{l='a'}",
    "g{l=`a`}",
    "g{l=~`a\\D*`}",
];

/// A seeded expression.
struct Nested(u64);

impl Nested {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0) % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn vector(&mut self, depth: u32) -> String {
        if depth == 0 {
            let selector = self.pick(&INSTANT);
            let shifts = shifts();
            return format!("{selector}{}", shifts[self.below(3 * shifts.len()).min(8) % 9]);
        }
        match self.below(8) {
            0 => format!("{}({})", self.pick(&EACH), self.vector(depth - 1)),
            1 | 2 => {
                let function = self.pick(&OVER);
                let range = self.range(depth - 1);
                over(function, &range)
            }
            3 | 4 => {
                let (op, grouping) = (self.pick(&AGGREGATE), self.pick(&GROUPING));
                format!("{op} {grouping} ({})", self.vector(depth - 1))
            }
            5 => {
                let (op, grouping) =
                    (self.pick(&["topk", "bottomk", "quantile"]), self.pick(&GROUPING));
                let parameter = if op == "quantile" { "0.7" } else { "3" };
                format!("{op} {grouping} ({parameter}, {})", self.vector(depth - 1))
            }
            6 => {
                let (op, number) =
                    (self.pick(&ARITHMETIC), self.pick(&["2", "0.5", "time()", "-3"]));
                format!("({} {op} {number})", self.vector(depth - 1))
            }
            _ => {
                let kind = self.below(3);
                let op = match kind {
                    0 => self.pick(&ARITHMETIC),
                    1 => self.pick(&COMPARISON),
                    _ => self.pick(&SET),
                };
                let on = self.pick(&["", "on (l)", "on (l, m)", "ignoring (m)"]);
                let (left, right) = (self.vector(depth - 1), self.vector(depth - 1));
                format!("({left} {op} {on} {right})")
            }
        }
    }

    fn range(&mut self, depth: u32) -> String {
        let range = self.pick(&["1m", "5m", "13m"]);
        if depth == 0 || self.below(2) == 0 {
            format!("{}[{range}]", self.pick(&["g", "c", "gap", "odd", "h_bucket"]))
        } else {
            let step = self.pick(&["", "30s", "2m"]);
            format!("{}[{range}:{step}]", self.vector(depth - 1))
        }
    }
}
