//! The framer by hand-made heads, and by seeded random ones.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn framed(input: &[u8]) -> (Vec<u8>, Phase) {
    let mut framer = Framer::new(Arc::new(Semaphore::new(MAX_LONG_HEADS)));
    let mut out = Vec::new();
    framer.push(input, &mut out);
    (out, framer.phase)
}

fn check(input: &str, expected: &str, phase: Phase) {
    let (out, found) = framed(input.as_bytes());
    assert_eq!((String::from_utf8(out).unwrap().as_str(), found), (expected, phase));
}

#[test]
fn ordinary_heads_and_bodies_pass_unchanged() {
    for (input, phase) in [
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", Phase::Head),
        ("GET / HTTP/1.1\nhost: x\n\n", Phase::Head),
        ("POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nab", Phase::Body(3)),
        ("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nabGET / HTTP/1.1\r\n\r\n", Phase::Head),
    ] {
        check(input, input, phase);
    }
    check("\r\n\r\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", Phase::Head);
    check("GET / HT", "", Phase::Head);
}

#[test]
fn an_unknown_length_closes_the_connection() {
    check(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\nGET",
        Phase::Rest,
    );
}

#[test]
fn a_long_target_moves_into_the_header() {
    let target = format!("/{}", "x".repeat(MAX_PLAIN_TARGET_BYTES));
    check(
        &format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\nGET"),
        &format!("GET / HTTP/1.1\r\nhost: x\r\n{TARGET_HEADER}: {target}\r\n\r\n"),
        Phase::Head,
    );
}

#[test]
fn long_heads_share_a_bounded_number_of_places() {
    let places = Arc::new(Semaphore::new(1));
    let mut first = Framer::new(Arc::clone(&places));
    let mut second = Framer::new(Arc::clone(&places));
    let mut out = Vec::new();
    let begin = format!("GET /{}", "x".repeat(MAX_HEADER_BYTES));
    first.push(begin.as_bytes(), &mut out);
    second.push(begin.as_bytes(), &mut out);
    assert!(!first.refused() && second.refused());
    assert!(String::from_utf8_lossy(&out).contains("!busy"));
    first.push(b" HTTP/1.1\r\n\r\n", &mut out);
    assert_eq!(places.available_permits(), 0);
    first.push(b"GET ", &mut out);
    assert_eq!(places.available_permits(), 1);
}

#[test]
fn ten_thousand_random_heads_do_no_harm() {
    const WORDS: [&str; 16] = [
        "GET ",
        "POST ",
        "/api/v1/model/",
        "nodes/",
        "pod-list/a,b",
        "/metrics/",
        "%2F",
        "%",
        " HTTP/1.1\r\n",
        "content-length: 3\r\n",
        "Content-Length: 1",
        "transfer-encoding: x\r\n",
        "x-taffrail-request-target: !head",
        "\r\n",
        "\n",
        "?start=",
    ];
    let mut random = ChaCha8Rng::seed_from_u64(8082);
    for _ in 0..10_000 {
        let mut data = Vec::new();
        for _ in 0..random.random_range(0..20) {
            if random.random_bool(0.8) {
                data.extend_from_slice(WORDS[random.random_range(0..WORDS.len())].as_bytes());
            } else {
                let mut noise = [0; 3];
                random.fill_bytes(&mut noise);
                data.extend_from_slice(&noise);
            }
        }
        fuzz_request_head(&data);
    }
}
