//! The channel between reader and builder, bounded by bytes: a stalled target stops the reader, not memory.

use crate::change::Change;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Bytes one permit stands for: semaphores count in `u32`.
const GRAIN_BYTES: usize = 1024;

/// A run of stream items; the room it takes is given back when it is dropped.
#[derive(Debug)]
pub struct Block {
    /// The items, in order.
    pub changes: Vec<Change>,
    _room: OwnedSemaphorePermit,
}

/// The sending end.
#[derive(Debug)]
pub struct Sender {
    room: Arc<Semaphore>,
    capacity: u32,
    queue: mpsc::UnboundedSender<Block>,
}

/// The receiving end.
pub type Receiver = mpsc::UnboundedReceiver<Block>;

/// The other end is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// A channel that holds at most about `bytes` (and always admits one block, however large, when it is empty).
pub fn bounded(bytes: usize) -> (Sender, Receiver) {
    let capacity = u32::try_from(bytes / GRAIN_BYTES).unwrap_or(u32::MAX >> 4).max(1);
    let permits = usize::try_from(capacity).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
    let (queue, receiver) = mpsc::unbounded_channel();
    (Sender { room: Arc::new(Semaphore::new(permits)), capacity, queue }, receiver)
}

impl Sender {
    /// Waits for room, then sends.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub async fn send(&self, changes: Vec<Change>) -> Result<(), Closed> {
        let bytes: usize = changes.iter().map(Change::weight_bytes).sum();
        let wanted = u32::try_from(bytes.div_ceil(GRAIN_BYTES)).unwrap_or(u32::MAX).clamp(1, self.capacity);
        let room = self.room.clone().acquire_many_owned(wanted).await.map_err(|_| Closed)?;
        self.queue.send(Block { changes, _room: room }).map_err(|_| Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::FilePosition;
    use futures_util::FutureExt;

    fn heartbeats(count: usize) -> Vec<Change> {
        let file = FilePosition { file: "b.1".into(), offset: 4 };
        vec![Change::Heartbeat(file); count]
    }

    #[tokio::test]
    async fn a_full_channel_holds_the_sender_until_a_block_is_dropped() {
        let (sender, mut receiver) = bounded(4096);
        sender.send(heartbeats(24)).await.unwrap();
        assert!(sender.send(heartbeats(24)).now_or_never().is_none(), "3 KiB and 3 KiB do not fit into 4");
        drop(receiver.recv().await);
        assert_eq!(sender.send(heartbeats(24)).now_or_never(), Some(Ok(())));
    }

    #[tokio::test]
    async fn a_block_larger_than_the_channel_passes_alone() {
        let (sender, mut receiver) = bounded(2048);
        assert_eq!(sender.send(heartbeats(1000)).now_or_never(), Some(Ok(())));
        assert_eq!(receiver.recv().await.map(|block| block.changes.len()), Some(1000));
    }
}
