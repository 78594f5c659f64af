//! Tables for people and scripts, in the columns of `kubectl top`.

use std::fmt::Write as _;

use crate::figure::{count, cpu, memory, percent, rate};
use crate::{Row, Subject};

/// How a table looks.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableOptions {
    /// Without the line of names.
    pub no_headers: bool,
    /// Requests, limits and state beside usage.
    pub wide: bool,
    /// Without the namespace: all rows are of one.
    pub one_namespace: bool,
    /// A last line with the sums.
    pub sum: bool,
}

/// Rows as a table, a line each, columns aligned with blanks.
pub fn table(subject: Subject, rows: &[Row], options: TableOptions) -> String {
    let columns = columns(subject, options);
    let mut lines: Vec<Vec<String>> = Vec::with_capacity(rows.len() + 2);
    if !options.no_headers {
        lines.push(columns.iter().map(|column| column.head.to_owned()).collect());
    }
    for row in rows {
        lines.push(columns.iter().map(|column| (column.cell)(row)).collect());
    }
    if options.sum {
        lines.push(sums(&columns, rows));
    }
    aligned(&lines)
}

struct Column {
    head: &'static str,
    cell: fn(&Row) -> String,
}

fn columns(subject: Subject, options: TableOptions) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut add =
        |head: &'static str, cell: fn(&Row) -> String| columns.push(Column { head, cell });
    if subject.is_namespaced() && !options.one_namespace {
        add("NAMESPACE", |row| row.namespace.clone().unwrap_or_default());
    }
    match subject {
        Subject::Workloads => add("KIND", |row| row.kind.clone().unwrap_or_default()),
        Subject::Containers => add("POD", |row| row.pod.clone().unwrap_or_default()),
        Subject::Nodes | Subject::Namespaces | Subject::Pods => {}
    }
    add("NAME", |row| row.name.clone());
    add("CPU(cores)", |row| cpu(row.cpu.usage));
    if subject == Subject::Nodes {
        add("CPU(%)", |row| percent(row.cpu.ratio()));
    }
    add("MEMORY(bytes)", |row| memory(row.memory.usage));
    if subject == Subject::Nodes {
        add("MEMORY(%)", |row| percent(row.memory.ratio()));
    }
    if options.wide {
        add("CPU-REQUEST", |row| cpu_or_none(row.cpu.request));
        add("CPU-LIMIT", |row| cpu_or_none(row.cpu.limit));
        add("MEMORY-REQUEST", |row| memory_or_none(row.memory.request));
        add("MEMORY-LIMIT", |row| memory_or_none(row.memory.limit));
        if subject != Subject::Containers {
            add("NETWORK", |row| rate(row.network));
        }
        if subject != Subject::Pods && subject != Subject::Containers {
            add("PODS", |row| count(row.pods));
        }
        if subject != Subject::Nodes && subject != Subject::Namespaces {
            add("RESTARTS", |row| count(row.restarts));
        }
        if subject != Subject::Namespaces {
            add("STATE", |row| row.state.clone());
        }
        if matches!(subject, Subject::Pods | Subject::Containers) {
            add("NODE", |row| row.node.clone().unwrap_or_default());
        }
    }
    columns
}

fn cpu_or_none(value: Option<f64>) -> String {
    value.map_or_else(|| "<none>".to_owned(), |value| cpu(Some(value)))
}

fn memory_or_none(value: Option<f64>) -> String {
    value.map_or_else(|| "<none>".to_owned(), |value| memory(Some(value)))
}

/// The last line: sums of usage below their columns, as `kubectl top --sum`.
fn sums(columns: &[Column], rows: &[Row]) -> Vec<String> {
    let cpus: f64 = rows.iter().filter_map(|row| row.cpu.usage).sum();
    let bytes: f64 = rows.iter().filter_map(|row| row.memory.usage).sum();
    let cell = |column: &Column| match column.head {
        "CPU(cores)" => cpu(Some(cpus)),
        "MEMORY(bytes)" => memory(Some(bytes)),
        _ => String::new(),
    };
    columns.iter().map(cell).collect()
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width =
        |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let begin = text.len();
        for (cell, width) in line.iter().zip(&widths) {
            // A String takes everything, so that this cannot fail.
            write!(text, "{cell:<width$}   ").unwrap_or_default();
        }
        text.truncate(begin + text.get(begin..).map_or(0, |line| line.trim_end().len()));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Item;

    fn row(subject: Subject, json: &str) -> Row {
        Row::new(subject, serde_json::from_str::<Item>(json).unwrap())
    }

    #[test]
    fn nodes_look_as_kubectl_top_prints_them() {
        let rows = [
            row(
                Subject::Nodes,
                r#"{"name":"node-1","ready":true,"cpu":{"usage":250,"allocatable":4000},
                    "memory":{"workingSet":1073741824,"allocatable":8589934592}}"#,
            ),
            row(
                Subject::Nodes,
                r#"{"name":"b","ready":true,"target":{"state":"failed","hop":"tls"}}"#,
            ),
        ];
        let expected = "\
NAME     CPU(cores)   CPU(%)      MEMORY(bytes)   MEMORY(%)
node-1   250m         6%          1024Mi          12%
b        <unknown>    <unknown>   <unknown>       <unknown>
";
        assert_eq!(table(Subject::Nodes, &rows, TableOptions::default()), expected);
    }

    #[test]
    fn pods_can_be_wide_summed_and_of_one_namespace() {
        let rows = [
            row(
                Subject::Pods,
                r#"{"namespace":"web","name":"a","node":"n1","phase":"Running","ready":1,
                    "containers":2,"restarts":3,"reason":"CrashLoopBackOff",
                    "cpu":{"usage":1.5,"request":100},"memory":{"workingSet":2097152},
                    "network":{"rxRate":1000,"txRate":200}}"#,
            ),
            row(
                Subject::Pods,
                r#"{"namespace":"web","name":"bb","phase":"Succeeded","ready":0,"containers":1,
                    "cpu":{},"memory":{"workingSet":1048576},"reason":""}"#,
            ),
        ];
        let wide = TableOptions { wide: true, sum: true, one_namespace: true, no_headers: false };
        let expected = "\
NAME   CPU(cores)   MEMORY(bytes)   CPU-REQUEST   CPU-LIMIT   MEMORY-REQUEST   MEMORY-LIMIT   NETWORK     RESTARTS   STATE                  NODE
a      2m           2Mi             100m          <none>      <none>           <none>         1.2 kB/s    3          CrashLoopBackOff 1/2   n1
bb     <unknown>    1Mi             <none>        <none>      <none>           <none>         <unknown>              Succeeded 0/1
       2m           3Mi
";
        assert_eq!(table(Subject::Pods, &rows, wide), expected);
        let plain = TableOptions { no_headers: true, ..TableOptions::default() };
        let expected = "web   a    2m          2Mi\nweb   bb   <unknown>   1Mi\n";
        assert_eq!(table(Subject::Pods, &rows, plain), expected);
        assert!(rows[0].ailing && !rows[1].ailing);
    }
}
