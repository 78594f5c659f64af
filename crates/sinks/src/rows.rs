//! A batch as JSON lines, one for each entity: what files and objects hold.

use model::Batch;

use crate::chunks::Chunks;
use crate::exposed::Exposer;
use crate::plan::Encode;
use crate::select::value;
use crate::text::{push_json, push_value};

mod columns;

pub(crate) use columns::parquet;

pub(crate) struct Rows {
    pub(crate) exposer: Exposer,
}

impl Encode for Rows {
    fn encode(&mut self, batch: &Batch, out: &mut Chunks<'_>) {
        let mut head = b"{\"time\":".to_vec();
        push_json(&mut head, &batch.timestamp().to_rfc3339_seconds());
        self.exposer.for_each_row(batch, |row, columns| {
            let values = columns.iter().filter(|column| value(column.column, row.row).is_some());
            let count = u32::try_from(values.count()).unwrap_or(u32::MAX);
            out.run(count, |line| {
                line.extend_from_slice(&head);
                line.extend_from_slice(b",\"kind\":");
                push_json(line, row.entity.kind().name());
                line.extend_from_slice(b",\"labels\":{");
                for (at, (name, value)) in row.labels.iter().enumerate() {
                    if at > 0 {
                        line.push(b',');
                    }
                    push_json(line, name);
                    line.push(b':');
                    push_json(line, value);
                }
                line.extend_from_slice(b"},\"metrics\":{");
                let mut first = true;
                for column in columns {
                    let Some(value) = value(column.column, row.row) else { continue };
                    if !std::mem::take(&mut first) {
                        line.push(b',');
                    }
                    push_json(line, column.column.metric().name());
                    line.push(b':');
                    push_value(line, value);
                }
                line.extend_from_slice(b"}}\n");
            });
        });
    }
}
