//! Compressed transactions as they lie in what was received.

use super::*;
use crate::source::binlog::{BinlogStream, LARGE_PAYLOAD};
use crate::source::wire::Wire;
use crate::source::wire::script::play;
use std::time::Duration;

/// Bytes that zstd makes no shorter.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// As if it had been received.
fn put(wire: &mut Wire, event: &[u8], sequence: u8) {
    let length = (event.len() + 1).to_le_bytes();
    let tail = wire.inbox().tail();
    tail.extend_from_slice(&[length[0], length[1], length[2], sequence, 0]);
    tail.extend_from_slice(event);
}

/// A block that has grown for an earlier event may hold all of it: nothing more will come for it then.
#[tokio::test]
async fn a_large_one_that_has_come_whole_waits_for_nothing() {
    let (endpoint, _played) = play(|mut stage| async move {
        stage.admit().await;
        stage.silence().await;
    })
    .await;
    let mut wire = Wire::connect(&endpoint).await.unwrap();
    let mut log = Log::new();
    let mut plain = Log::with("rf_binlog.*", false);
    let insert = [&INSERT[..12], &noise(LARGE_PAYLOAD)].concat();
    let mut inner = Vec::new();
    for (code, body) in [(2, query("rf_binlog", "BEGIN")), (19, MAP.to_vec()), (30, insert), (16, vec![0; 8])]
    {
        inner.extend(plain.bytes(code, 0, &body, false));
    }
    log.gtid(5).unwrap();
    let payload = log.bytes(40, 0, &compressed(&inner), true);
    assert!(payload.len() >= LARGE_PAYLOAD);
    let sequence = wire.inbox().sequence();
    put(&mut wire, &payload, sequence);
    let mut stream = BinlogStream {
        max_event_bytes: 1 << 20,
        endpoint: (&endpoint).into(),
        server_id: 1,
        wire,
        framer: log.framer,
        heartbeat: Duration::from_secs(1),
        read_timeout: Duration::from_secs(2),
        start: String::new(),
        early: Vec::new(),
        failed: None,
        by_gtids: false,
        cut_off: None,
    };
    while !matches!(log.out.last(), Some(Change::Commit(_))) {
        stream.next(&mut log.out, usize::MAX).await.unwrap();
    }
    assert_eq!(log.out.len(), 3, "begin, rows, commit");
}
