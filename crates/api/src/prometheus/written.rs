//! An answer as text: a small one whole, a large one piece by piece while it is read.

use std::convert::Infallible;
use std::vec::IntoIter;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use query::promql::{Answer, AnswerValue, InstantSample, Labels, RangeSeries};

use super::answer::{BEGIN, put_end, with_type};
use super::number::{put, put_plain, put_text, put_time, put_value};
use super::stamps::{Stamps, put_begin};

/// An answer that is about so long is sent whole.
const WHOLE_BYTES: usize = 256 << 10;
/// How much of a longer one is written at once.
const PIECE_BYTES: usize = 64 << 10;
/// Samples of one series that are written between two looks at how much that is.
const SAMPLES_AT_ONCE: usize = 1_024;

/// What a query cost, where that was asked for.
pub(super) struct Cost {
    /// Seconds.
    pub(super) took: f64,
}

/// The answer in Prometheus' words. Its samples are at `steps`: the first and how far apart they
/// are, milliseconds.
pub(super) fn respond_with(answer: Answer, steps: (i64, i64), cost: Option<&Cost>) -> Response {
    let tail = tail(&answer, steps, cost);
    let expected = expected(&answer.value);
    let mut first = String::with_capacity(tail.len() + expected.min(WHOLE_BYTES));
    first.push_str(BEGIN);
    let rest = match answer.value {
        AnswerValue::Scalar(at, value) => {
            first.push_str(r#"{"resultType":"scalar","result":"#);
            put_begin(&mut first, at);
            put_plain(&mut first, value);
            first.push('"');
            Rest::Nothing
        }
        AnswerValue::Text(at, text) => {
            first.push_str(r#"{"resultType":"string","result":["#);
            put_time(&mut first, at);
            first.push(',');
            put_text(&mut first, &text);
            Rest::Nothing
        }
        AnswerValue::Vector(samples) => {
            first.push_str(r#"{"resultType":"vector","result":["#);
            Rest::Vector(samples.into_iter())
        }
        AnswerValue::Matrix(series) => {
            first.push_str(r#"{"resultType":"matrix","result":["#);
            Rest::Matrix(Stamps::new(steps, &series), series.into_iter(), None)
        }
    };
    let mut unwritten = Unwritten { rest, begun: false, tail: Some(tail) };
    if expected <= WHOLE_BYTES {
        while unwritten.put(&mut first) {}
        return with_type(Body::from(first));
    }
    let mut first = Some(first);
    let pieces = std::iter::from_fn(move || {
        let mut piece = first.take().unwrap_or_else(|| String::with_capacity(PIECE_BYTES * 5 / 4));
        while piece.len() < PIECE_BYTES && unwritten.put(&mut piece) {}
        (!piece.is_empty()).then(|| Ok::<_, Infallible>(Bytes::from(piece)))
    });
    with_type(Body::from_stream(stream::iter(pieces)))
}

/// About how many bytes the values take.
fn expected(value: &AnswerValue) -> usize {
    const LABELS: usize = 256;
    const SAMPLE: usize = 32;
    let samples: usize = match value {
        AnswerValue::Matrix(series) => {
            series.iter().map(|one| LABELS + one.samples.len() * SAMPLE).sum()
        }
        AnswerValue::Vector(samples) => samples.len() * (LABELS + SAMPLE),
        AnswerValue::Text(_, text) => text.len(),
        AnswerValue::Scalar(..) => 0,
    };
    LABELS + samples
}

/// What is left of an answer.
struct Unwritten {
    rest: Rest,
    /// Whether an item of a list is written.
    begun: bool,
    /// What stands behind the values.
    tail: Option<String>,
}

/// The values that are left.
enum Rest {
    Nothing,
    Vector(IntoIter<InstantSample>),
    /// With the series that is being written and how many of its samples are.
    Matrix(Stamps, IntoIter<RangeSeries>, Option<(RangeSeries, usize)>),
}

impl Unwritten {
    /// Appends some more; whether there was any.
    fn put(&mut self, out: &mut String) -> bool {
        if self.put_values(out) {
            return true;
        }
        let Some(tail) = self.tail.take() else { return false };
        out.push_str(&tail);
        true
    }

    fn put_values(&mut self, out: &mut String) -> bool {
        match &mut self.rest {
            Rest::Nothing => false,
            Rest::Vector(samples) => {
                let Some(sample) = samples.next() else { return false };
                begin(out, &mut self.begun, &sample.labels);
                out.push_str(r#","value":"#);
                put_begin(out, sample.timestamp);
                put_value(out, sample.value);
                out.push_str("\"]}");
                true
            }
            Rest::Matrix(stamps, series, current) => {
                if current.is_none()
                    && let Some(next) = series.next()
                {
                    begin(out, &mut self.begun, &next.labels);
                    out.push_str(r#","values":["#);
                    *current = Some((next, 0));
                }
                let Some((series, written)) = current else { return false };
                let left = series.samples.get(*written..).unwrap_or_default();
                let some = left.get(..SAMPLES_AT_ONCE).unwrap_or(left);
                if *written > 0 && !some.is_empty() {
                    out.push(',');
                }
                stamps.put(out, some);
                *written += some.len();
                if some.len() == left.len() {
                    out.push_str("]}");
                    *current = None;
                }
                true
            }
        }
    }
}

/// Begins an item of a list.
fn begin(out: &mut String, begun: &mut bool, labels: &Labels) {
    if std::mem::replace(begun, true) {
        out.push(',');
    }
    out.push_str(r#"{"metric":"#);
    put_labels(out, labels);
}

/// What stands behind the values, which end a list of whatever kind: what the query cost where that
/// was asked for, warnings.
fn tail(answer: &Answer, steps: (i64, i64), cost: Option<&Cost>) -> String {
    let mut out = "]".to_owned();
    if let Some(cost) = cost {
        put_cost(&mut out, answer, steps, cost);
    }
    out.push('}');
    put_end(&mut out, &answer.warnings);
    out
}

/// What a query cost, in Prometheus' words.
fn put_cost(out: &mut String, answer: &Answer, (first, step): (i64, i64), cost: &Cost) {
    let (took, stats) = (cost.took, answer.stats);
    put(
        out,
        format_args!(
            r#","stats":{{"timings":{{"evalTotalTime":{took},"resultSortTime":0,"queryPreparationTime":0,"innerEvalTime":{took},"execQueueTime":0,"execTotalTime":{took}}},"samples":{{"#
        ),
    );
    if !answer.by_step.is_empty() {
        out.push_str(r#""totalQueryableSamplesPerStep":"#);
        let times = std::iter::successors(Some(first), |at| at.checked_add(step));
        let steps: Vec<(i64, usize)> = times.zip(answer.by_step.iter().copied()).collect();
        list(out, &steps, |out, (at, count)| {
            out.push('[');
            put_time(out, *at);
            put(out, format_args!(",{count}]"));
        });
        out.push(',');
    }
    put(
        out,
        format_args!(
            r#""totalQueryableSamples":{},"peakSamples":{}}}}}"#,
            stats.looked,
            stats.samples + stats.values
        ),
    );
}

fn list<T>(out: &mut String, items: &[T], each: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        each(out, item);
    }
    out.push(']');
}

/// Appends labels as a JSON object.
pub(super) fn put_labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (at, (name, value)) in labels.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put_text(out, name);
        out.push(':');
        put_text(out, value);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use query::promql::Stats;
    use serde_json::{Value, json};

    use super::*;

    async fn body(value: AnswerValue, warnings: &[&str]) -> (bool, Value) {
        let warnings = warnings.iter().map(|warning| (*warning).to_owned()).collect();
        let answer = Answer { value, warnings, stats: Stats::default(), by_step: Vec::new() };
        let response = respond_with(answer, (1_000, 2_000), None);
        let whole = http_body::Body::size_hint(response.body()).exact().is_some();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (whole, serde_json::from_slice(&bytes).unwrap())
    }

    fn named(number: usize) -> Labels {
        Labels::new([("pod", format!("web-\"{number}\""))])
    }

    #[tokio::test]
    async fn vectors_are_the_same_whole_and_in_pieces() {
        for count in [0, 1, 2, 5_000] {
            let sample = |number| {
                let value = f64::from(u32::try_from(number).unwrap());
                InstantSample { labels: named(number), timestamp: 1_500, value }
            };
            let value = AnswerValue::Vector((0..count).map(sample).collect());
            let (whole, body) = body(value, &["a \"b\""]).await;
            let item = |number: usize| {
                let pod = format!("web-\"{number}\"");
                json!({ "metric": { "pod": pod }, "value": [1.5, number.to_string()] })
            };
            let result: Vec<Value> = (0..count).map(item).collect();
            let data = json!({ "resultType": "vector", "result": result });
            let expected = json!({ "status": "success", "data": data, "warnings": ["a \"b\""] });
            assert_eq!((whole, body), (count < 100, expected), "{count}");
        }
    }

    #[tokio::test]
    async fn matrices_are_the_same_whole_and_in_pieces() {
        let at_once = i64::try_from(SAMPLES_AT_ONCE).unwrap();
        for counts in [vec![], vec![1, 2], vec![at_once, 1, 9 * at_once + 1, 2 * at_once]] {
            let sample = |number: i64| (1_000 + 2_000 * number, 0.5);
            let series = |(number, count): (usize, &i64)| RangeSeries {
                labels: named(number),
                samples: (0..*count).map(sample).collect(),
            };
            let all = counts.iter().enumerate().map(series).collect();
            let (whole, body) = body(AnswerValue::Matrix(all), &[]).await;
            let item = |(number, count): (usize, &i64)| {
                let values: Vec<Value> = (0..*count).map(|at| json!([1 + 2 * at, "0.5"])).collect();
                let pod = format!("web-\"{number}\"");
                json!({ "metric": { "pod": pod }, "values": values })
            };
            let result: Vec<Value> = counts.iter().enumerate().map(item).collect();
            let data = json!({ "resultType": "matrix", "result": result });
            let expected = json!({ "status": "success", "data": data });
            assert_eq!((whole, body), (counts.len() < 3, expected), "{counts:?}");
        }
    }

    #[tokio::test]
    async fn scalars_and_texts_are_whole() {
        let (_, scalar) = body(AnswerValue::Scalar(1_500, 1e21), &[]).await;
        let number = "1000000000000000000000";
        let data = json!({ "resultType": "scalar", "result": [1.5, number] });
        assert_eq!(scalar, json!({ "status": "success", "data": data }));
        let (_, text) = body(AnswerValue::Text(2_000, "a\nb".to_owned()), &[]).await;
        let data = json!({ "resultType": "string", "result": [2, "a\nb"] });
        assert_eq!(text, json!({ "status": "success", "data": data }));
    }
}
