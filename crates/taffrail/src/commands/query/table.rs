//! Answers as aligned text and as CSV.

use std::collections::BTreeSet;

use model::Timestamp;

use super::Line;

/// A row per sample: labels that differ get a column each.
pub(super) fn table(lines: &[Line]) -> String {
    let rows = rows(lines);
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().map(|row| row.get(at).map_or(0, |cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    if lines.is_empty() { "no series".to_owned() } else { out }
}

/// As [`table`], as RFC 4180 has it.
pub(super) fn csv(lines: &[Line]) -> String {
    let quoted = |cell: &String| {
        if cell.contains([',', '"', '\n']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.clone()
        }
    };
    let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n";
    rows(lines).iter().map(line).collect()
}

fn rows(lines: &[Line]) -> Vec<Vec<String>> {
    let names: BTreeSet<&str> =
        lines.iter().flat_map(|line| line.labels.iter().map(|(name, _)| name.as_str())).collect();
    let has_name = lines.iter().any(|line| !line.name.is_empty());
    let mut head: Vec<String> = Vec::new();
    head.extend(has_name.then(|| "name".to_owned()));
    head.extend(names.iter().map(|name| (*name).to_owned()));
    head.extend(["time", "value"].map(str::to_owned));
    let mut rows = vec![head];
    for line in lines {
        let mut own: Vec<String> = Vec::new();
        own.extend(has_name.then(|| line.name.clone()));
        own.extend(names.iter().map(|name| {
            let found = line.labels.iter().find(|(known, _)| known == name);
            found.map_or_else(String::new, |(_, value)| value.clone())
        }));
        for (at, value) in &line.points {
            let mut row = own.clone();
            row.push(time(*at));
            row.push(value.to_string());
            rows.push(row);
        }
        if line.points.is_empty() {
            rows.push(own);
        }
    }
    rows
}

/// Seconds since the epoch as RFC 3339.
pub(super) fn time(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    Timestamp::from_millis((seconds * 1000.0).round() as i64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        let line = |pod: &str, value| Line {
            name: "m".to_owned(),
            labels: vec![("pod".to_owned(), pod.to_owned())],
            points: vec![(1.5, value)],
        };
        vec![line("a", 1.0), line("long,er", 0.25)]
    }

    #[test]
    fn columns_are_aligned() {
        let expected = "name  pod      time                    value\n\
                        m     a        1970-01-01T00:00:01.5Z  1\n\
                        m     long,er  1970-01-01T00:00:01.5Z  0.25\n";
        assert_eq!(table(&lines()), expected);
        assert_eq!(table(&[]), "no series");
    }

    #[test]
    fn commas_are_quoted() {
        assert!(csv(&lines()).ends_with("m,\"long,er\",1970-01-01T00:00:01.5Z,0.25\r\n"));
    }
}
