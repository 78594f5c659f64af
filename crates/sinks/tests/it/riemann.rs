//! Riemann against a server that reads its frames, written for these tests: Riemann itself needs a
//! Java runtime and is in no package list.

use std::sync::{Arc, Mutex};

use model::LabelOptions;
use sinks::bench::{Encoder, EventEncoder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::batches::read;
use crate::events::recorded;
use crate::golden::golden;
use crate::servers::batch;

/// A field number, and a number or bytes.
type Field = (u64, Result<u64, Vec<u8>>);

/// The fields of a message, read anew: what the crate writes is not read by what wrote it.
fn parse(mut bytes: &[u8]) -> Vec<Field> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let length = match tag & 7 {
            0 => {
                fields.push((tag >> 3, Ok(varint(&mut bytes))));
                continue;
            }
            1 => 8,
            5 => 4,
            _ => usize::try_from(varint(&mut bytes)).unwrap(),
        };
        let (value, rest) = bytes.split_at(length);
        fields.push((tag >> 3, Err(value.to_vec())));
        bytes = rest;
    }
    fields
}

/// An event in words.
fn words(event: &[u8]) -> String {
    let mut out = Vec::new();
    for (number, value) in parse(event) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        out.push(match (number, value) {
            (1, Ok(time)) => format!("time={time}"),
            (2, Err(state)) => format!("state={}", text(&state)),
            (3, Err(service)) => format!("service={}", text(&service)),
            (4, Err(host)) => format!("host={}", text(&host)),
            (5, Err(description)) => format!("description={}", text(&description)),
            (7, Err(tag)) => format!("tag={}", text(&tag)),
            (8, Err(ttl)) => format!("ttl={}", f32::from_le_bytes(ttl.try_into().unwrap())),
            (9, Err(pair)) => {
                let pair: Vec<_> =
                    parse(&pair).into_iter().map(|(_, value)| text(&value.unwrap_err())).collect();
                format!("{}:{}", pair[0], pair[1])
            }
            (13, Ok(value)) => {
                let value = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
                format!("sint64={value}")
            }
            (14, Err(value)) => format!("d={}", f64::from_le_bytes(value.try_into().unwrap())),
            other => panic!("{other:?}"),
        });
    }
    out.join(" ")
}

fn events(message: &[u8]) -> Vec<String> {
    parse(message)
        .into_iter()
        .map(|(number, event)| {
            assert_eq!(number, 6);
            words(&event.unwrap_err())
        })
        .collect()
}

#[test]
fn metrics_are_events_with_their_labels() {
    let kind = sinks::find("riemann").unwrap();
    let mut encoder = Encoder::new(kind, &[("ttl", "90"), ("tags", "a"), ("tags", "b")]).unwrap();
    let mut seen = Vec::new();
    encoder.encode(&read(&golden("wire.txt")), |message| seen.extend(events(message)));
    assert_eq!(seen.len(), 15);
    let pod = "time=1577934240 service=cpu/usage_rate host=h1 tag=a tag=b ttl=90 host_id: hostname:h1 \
               labels:app:web namespace_id:nsuid namespace_name:ns nodename:n1 pod_id:uid \
               pod_name:p type:pod sint64=-5";
    assert!(seen.iter().any(|event| event == pod), "{pod} in {seen:#?}");
    let disk = seen.iter().find(|event| event.contains("resource_id:/ ")).unwrap();
    assert!(disk.ends_with("type:node sint64=42"), "{disk}");
    assert!(seen.iter().any(|event| event.ends_with(" d=0.37")), "{seen:#?}");
}

#[test]
fn events_say_what_eventers_said() {
    let mut encoder = EventEncoder::new(sinks::find("riemann").unwrap(), &[]).unwrap();
    let mut seen = Vec::new();
    encoder.encode(&recorded(), |message| seen.extend(events(message)));
    let expected = "time=1577934245 state=warning service=Pod.BackOff host=n1 \
                    description=Back-off \"x\" tag=heapster ttl=60 api-version: component:kubelet \
                    field-path:spec.containers{c} first-timestamp:1577930645 \
                    last-timestamp:1577934245 name:p namespace:ns resource-version: uid:puid \
                    sint64=3";
    assert_eq!(seen, [expected]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&seen);
    let server = tokio::spawn(async move {
        for answer in [&b"\x10\x00\x1a\x04busy"[..], b"\x10\x01"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut message = vec![0; stream.read_u32().await.unwrap() as usize];
            stream.read_exact(&mut message).await.unwrap();
            shared.lock().unwrap().push(message);
            stream.write_u32(u32::try_from(answer.len()).unwrap()).await.unwrap();
            stream.write_all(answer).await.unwrap();
        }
    });
    let setup = sinks::Setup {
        settings: vec![("address".into(), format!("http://{address}"))],
        labels: LabelOptions::default(),
        output: Box::new(std::io::sink()),
        clock: sinks::Clock::default(),
    };
    let mut sink = sinks::find("riemann").unwrap().build(setup).unwrap();
    sink.export(&batch(1, 7)).unwrap();
    server.await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], seen[1]);
    assert!(events(&seen[0])[0].ends_with("sint64=7"));
}
