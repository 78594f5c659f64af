//! Scrapes one after the other, and what is written of them.

use super::*;
use model::RelabelRule;

fn treatment() -> Treatment {
    Treatment {
        honor_labels: false,
        honor_timestamps: true,
        rules: Arc::new([]),
        body_samples: 100,
        sample_limit: 0,
        label_limit: 0,
        label_name_limit: 0,
        label_value_limit: 0,
    }
}

fn series(labels: &[(&str, &str)]) -> SeriesOf {
    let labels: Labels<'_> = labels.iter().copied().collect();
    SeriesOf::new(labels.finish(&mut Pool::default()), Arc::new(Budget::new(10)))
}

fn shown(samples: &[Sample]) -> Vec<String> {
    let mut shown: Vec<String> = samples
        .iter()
        .map(|sample| {
            let pairs: Vec<String> =
                sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let value = if sample.value.to_bits() == STALE.to_bits() {
                "stale".to_owned()
            } else {
                sample.value.to_string()
            };
            format!("{} {value}@{}", pairs.join(","), sample.time)
        })
        .collect();
    shown.sort();
    shown
}

fn text(series: &mut SeriesOf, body: &str, at: i64) -> Vec<String> {
    shown(&series.take(body, Format::Text, &treatment(), at).unwrap().samples)
}

#[test]
fn what_vanishes_gets_a_stale_marker() {
    let mut series = series(&[("job", "j")]);
    assert_eq!(
        text(&mut series, "a 1\nb{x=\"1\"} 2\nc 3 500\n", 1000),
        ["__name__=a,job=j 1@1000", "__name__=b,job=j,x=1 2@1000", "__name__=c,job=j 3@500"]
    );
    assert_eq!(
        text(&mut series, "a 1\n", 2000),
        ["__name__=a,job=j 1@2000", "__name__=b,job=j,x=1 stale@2000"],
        "what brings its own time has no end"
    );
    assert_eq!(text(&mut series, "a 1\n", 3000), ["__name__=a,job=j 1@3000"]);
    assert_eq!(shown(&series.fail(4000)), ["__name__=a,job=j stale@4000"]);
    assert!(series.fail(5000).is_empty());
}

#[test]
fn a_body_that_breaks_off_ends_what_was_there_before() {
    let mut series = series(&[]);
    assert_eq!(text(&mut series, "a 1\n", 1000).len(), 1);
    let rejected = series.take("b 1\na{ 2\n", Format::Text, &treatment(), 2000).unwrap_err();
    assert_eq!(rejected.name, "malformed");
    assert!(rejected.reason.contains("line 2"), "{}", rejected.reason);
    assert_eq!(shown(&series.fail(2000)), ["__name__=a stale@2000"]);
    assert_eq!(series.budget.left(), 10);
}

#[test]
fn a_target_that_goes_takes_its_reports_with_it() {
    let mut series = series(&[("instance", "i")]);
    text(&mut series, "a 1\n", 1000);
    assert_eq!(
        shown(&series.report([1.0, 0.5, 1.0, 1.0, 1.0], 1000).collect::<Vec<_>>())[4],
        "__name__=up,instance=i 1@1000"
    );
    assert_eq!(series.end(2000).len(), 6);
    assert!(series.end(3000).is_empty());
}

#[test]
fn labels_that_both_have_are_resolved_as_in_prometheus() {
    let own = [("__name__", "m"), ("a", "1"), ("exported_a", "2"), ("b", "")];
    let check = |honor: bool, target: &[(&str, &str)], expected: &str| {
        let mut pool = Pool::default();
        let target = target.iter().copied().collect::<Labels<'_>>().finish(&mut pool);
        let mut labels: Labels<'_> = own.iter().copied().collect();
        join(&mut labels, &target, honor);
        let pairs = labels.sorted().into_iter().map(|(name, value)| format!("{name}={value}"));
        assert_eq!(pairs.collect::<Vec<_>>().join(","), expected);
    };
    check(
        false,
        &[("a", "t"), ("b", "u")],
        "__name__=m,a=t,b=u,exported_a=2,exported_exported_a=1",
    );
    check(
        false,
        &[("a", "t"), ("exported_a", "u")],
        "__name__=m,a=t,exported_a=u,exported_exported_a=1,exported_exported_exported_a=2",
    );
    check(true, &[("a", "t"), ("c", "u")], "__name__=m,a=1,c=u,exported_a=2");
}

#[test]
fn metric_relabelling_is_applied_once_and_counts() {
    let rules = [
        RelabelRule {
            source_labels: ["__name__".into()].into(),
            regex: Some("drop_.*".into()),
            action: "drop".into(),
            ..RelabelRule::default()
        },
        RelabelRule {
            regex: Some("le".into()),
            action: "labeldrop".into(),
            ..RelabelRule::default()
        },
    ];
    let treatment = Treatment { rules: relabel::compile(&rules).unwrap().into(), ..treatment() };
    let mut series = series(&[]);
    let body = "drop_a 1\nb{le=\"1\"} 2\n";
    for added in [1, 0] {
        let taken = series.take(body, Format::Text, &treatment, 1).unwrap();
        assert_eq!((taken.scraped, taken.kept, taken.added), (2, 1, added));
        assert_eq!(shown(&taken.samples), ["__name__=b 2@1"]);
    }
}

#[test]
fn bounds_have_names() {
    let rejected = |change: &dyn Fn(&mut Treatment), body: &str| {
        let mut treatment = treatment();
        change(&mut treatment);
        series(&[("job", "j")]).take(body, Format::Text, &treatment, 1).unwrap_err().name
    };
    let three = "a 1\nb 1\nc{x=\"yyyy\"} 1\n";
    assert_eq!(rejected(&|t| t.body_samples = 2, three), "too_many_samples");
    assert_eq!(rejected(&|t| t.sample_limit = 2, three), "sample_limit");
    assert_eq!(rejected(&|t| t.label_limit = 1, three), "label_limit");
    assert_eq!(rejected(&|t| t.label_value_limit = 3, three), "label_limit");
    assert_eq!(rejected(&|t| t.label_name_limit = 7, three), "label_limit");

    let mut series = series(&[]);
    let long = format!("a{{x=\"{}\"}} 1\n", "v".repeat(5000));
    let many = (0..130).fold(String::new(), |text, i| text + &format!("l{i}=\"1\","));
    let many = format!("a{{{many}}} 1\n");
    for (body, reason) in [
        (&*long, "label_too_long"),
        (&*many, "too_many_labels"),
        ("a{x=\"1\",x=\"2\"} 1\n", "duplicate_label"),
    ] {
        let taken = series.take(&format!("b 1\n{body}"), Format::Text, &treatment(), 1).unwrap();
        assert_eq!((taken.kept, taken.refused.get(reason)), (1, Some(&1)), "{reason}");
    }
    let twelve = (0..12).fold(String::new(), |text, i| text + &format!("s{i} 1\n"));
    let taken = series.take(&twelve, Format::Text, &treatment(), 1).unwrap();
    assert_eq!((taken.kept, taken.refused.get("too_many_series")), (9, Some(&3)));
    let again = series.take("s0 1\n", Format::Text, &treatment(), 2).unwrap();
    assert_eq!(again.samples.len(), 9, "one value, eight ends");
    assert_eq!(series.budget.left(), 9);
    drop(series);
}

#[test]
fn metrics_are_described_once() {
    let mut series = series(&[]);
    let body = "# TYPE a counter\n# HELP a All\\nof it.\na 1\n";
    let described = series.take(body, Format::Text, &treatment(), 1).unwrap().described;
    let expected = Described { name: "a".into(), kind: "counter", help: "All of it.".into() };
    assert_eq!(described, [expected]);
    assert!(series.take(body, Format::Text, &treatment(), 2).unwrap().described.is_empty());
}
