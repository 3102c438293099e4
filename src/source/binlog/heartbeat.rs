//! `HEARTBEAT_LOG_EVENT_V2`: `[field][length][value]…[0]` (`libs/mysql/binlog/event/control_events.h`, `Heartbeat_event_v2`).

use super::cursor::Cursor;
use super::refusal::Refusal;
use bytes::Bytes;

/// The file's name and the whole offset.
pub fn fields(body: &Bytes) -> Result<(Bytes, u64), Refusal> {
    const END_MARK: u64 = 0;
    const FILE: u64 = 1;
    const OFFSET: u64 = 2;
    let mut at = Cursor::new(body);
    let (mut file, mut offset) = (None, None);
    while at.remaining() > 0 {
        let field = at.packed("field number")?;
        if field == END_MARK {
            break;
        }
        let length = at.packed_length("field length")?;
        let value = at.take(length, "field")?;
        match field {
            FILE => file = Some(value),
            OFFSET => offset = Some(Cursor::new(&value).packed("offset")?),
            // Fields of later versions add to these two.
            _ => {}
        }
    }
    match (file, offset) {
        (Some(file), Some(offset)) => Ok((file, offset)),
        _ => Err(Refusal::contradiction("a heartbeat without file or offset")),
    }
}
