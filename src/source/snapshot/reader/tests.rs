use super::*;
use crate::source::wire::script::{EOF, OK, Stage, play};
use tokio::task::JoinHandle;

const FULL_PART: usize = 0xFF_FFFF;

fn table() -> TableName {
    TableName::new("d", "t")
}

async fn connected<F, S>(script: S) -> (Wire, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
    S: FnOnce(Stage) -> F + Send + 'static,
{
    let (endpoint, played) = play(script).await;
    (Wire::connect(&endpoint).await.unwrap(), played)
}

#[tokio::test]
async fn rows_come_in_blocks_and_the_statement_is_closed() {
    let (mut wire, played) = connected(|mut stage| async move {
        stage.admit().await;
        stage.prepare_and_execute().await;
        for value in 0..10_u8 {
            stage.say(&[0, 0, value, 0, 0, 0]).await;
        }
        stage.say(EOF).await;
        assert_eq!(stage.hear().await, b"\x19\x09\0\0\0", "COM_STMT_CLOSE");
        stage.hear().await;
        stage.say(OK).await;
    })
    .await;
    let mut reader = ChunkReader::open(&mut wire, &table(), "SELECT a FROM t").await.unwrap();
    let mut values = Vec::new();
    let mut blocks = 0;
    // Rows of 10 bytes with their headers: a block of 25 bytes is full with the third.
    while let Some(block) = reader.next(25).await.unwrap() {
        assert_eq!(block.columns[..], [ResultColumn { type_code: 3, flags: 0x1021, collation: 63 }]);
        assert!(block.buffer.len() <= 30);
        values.extend(block.rows.iter().map(|row| block.buffer[row.clone()][2]));
        blocks += 1;
    }
    assert_eq!(values, (0..10).collect::<Vec<u8>>());
    assert!(blocks >= 4);
    assert!(reader.next(25).await.unwrap().is_none(), "the end stays the end");
    assert!(wire.is_idle());
    wire.execute("SELECT 1").await.unwrap();
    played.await.unwrap();
}

#[tokio::test]
async fn a_row_of_several_parts_is_one_row_between_its_neighbours() {
    let (mut wire, played) = connected(|mut stage| async move {
        stage.admit().await;
        stage.prepare_and_execute().await;
        stage.say(&[0, 1]).await;
        stage.say(&vec![0; FULL_PART]).await;
        stage.say(&[2; 7]).await;
        stage.say(&[0, 3]).await;
        stage.say(EOF).await;
        stage.hear().await;
    })
    .await;
    let mut reader = ChunkReader::open(&mut wire, &table(), "SELECT a FROM t").await.unwrap();
    let mut rows = Vec::new();
    while let Some(block) = reader.next(1 << 20).await.unwrap() {
        rows.extend(block.rows.iter().map(|row| block.buffer[row.clone()].to_vec()));
    }
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [2, FULL_PART + 7, 2]);
    assert_eq!((rows[0][1], rows[1][FULL_PART + 6], rows[2][1]), (1, 2, 3));
    played.await.unwrap();
}

#[tokio::test]
async fn an_error_between_the_rows_is_the_chunks_error() {
    for (code, changed) in [(1054_u16, true), (1146, true), (1412, true), (1317, false)] {
        let (mut wire, played) = connected(move |mut stage| async move {
            stage.admit().await;
            stage.prepare_and_execute().await;
            stage.say(&[0, 0, 1, 0, 0, 0]).await;
            stage.say(&[b"\xFF", &code.to_le_bytes()[..], b"#HY000words"].concat()).await;
            assert_eq!(stage.hear().await[0], 0x19, "COM_STMT_CLOSE");
        })
        .await;
        let mut reader = ChunkReader::open(&mut wire, &table(), "SELECT a FROM t").await.unwrap();
        assert_eq!(reader.next(1 << 20).await.unwrap().map(|block| block.rows.len()), Some(1));
        let error = reader.next(1 << 20).await.unwrap_err();
        assert_eq!(matches!(error.kind, SourceErrorKind::TableChanged { .. }), changed, "{error}");
        assert!(error.to_string().contains("d.t") && error.to_string().contains("words"), "{error}");
        assert_eq!(error.retry(), Retry::AfterBackoff);
        assert!(wire.is_idle());
        played.await.unwrap();
    }
}

#[tokio::test]
async fn a_table_that_is_gone_when_preparing_has_changed() {
    let (mut wire, played) = connected(|mut stage| async move {
        stage.admit().await;
        stage.hear().await;
        stage.say(b"\xFF\x7A\x04#42S02Table 'd.t' doesn't exist").await;
        stage.hear().await;
        stage.say(OK).await;
    })
    .await;
    let error = ChunkReader::open(&mut wire, &table(), "SELECT a FROM t").await.unwrap_err();
    assert!(matches!(error.kind, SourceErrorKind::TableChanged { .. }), "{error}");
    wire.execute("SELECT 1").await.unwrap();
    played.await.unwrap();
}

#[tokio::test]
async fn a_reader_left_in_the_middle_leaves_a_connection_that_refuses_commands() {
    let (mut wire, played) = connected(|mut stage| async move {
        stage.admit().await;
        stage.prepare_and_execute().await;
        stage.say(&[0, 0, 1, 0, 0, 0]).await;
        stage.say(EOF).await;
        stage.silence().await;
    })
    .await;
    let mut reader = ChunkReader::open(&mut wire, &table(), "SELECT a FROM t").await.unwrap();
    reader.next(1).await.unwrap().unwrap();
    drop(reader);
    assert!(!wire.is_idle());
    assert!(wire.execute("SELECT 1").await.is_err());
    assert!(ChunkReader::open(&mut wire, &table(), "SELECT a FROM t").await.is_err());
    drop(wire);
    played.await.unwrap();
}

#[tokio::test]
async fn a_lost_packet_between_the_rows_is_noticed() {
    let (mut wire, played) = connected(|mut stage| async move {
        stage.admit().await;
        stage.prepare_and_execute().await;
        stage.say(&[0, 0, 1, 0, 0, 0]).await;
        stage.skip();
        stage.say(&[0, 0, 2, 0, 0, 0]).await;
    })
    .await;
    let mut reader = ChunkReader::open(&mut wire, &table(), "SELECT a FROM t").await.unwrap();
    let error = loop {
        match reader.next(1 << 20).await {
            Ok(block) => assert!(block.is_some(), "the result ended as if it were whole"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error.kind, SourceErrorKind::Protocol { .. }), "{error}");
    assert!(!wire.is_idle());
    played.await.unwrap();
}

/// Reads a chunk that ends with one warning of this level and code.
async fn with_warning(level: &'static str, code: &'static str) -> Result<(), SourceError> {
    let (mut wire, played) = connected(move |mut stage| async move {
        stage.admit().await;
        stage.prepare_and_execute().await;
        stage.say(b"\xFE\x01\0\x02\0").await;
        assert_eq!(stage.hear().await, b"\x03SHOW WARNINGS");
        stage.say(b"\x03").await;
        for _ in 0..3 {
            stage.say(b"a definition").await;
        }
        stage.say(EOF).await;
        let row: Vec<u8> = [level, code, "words"]
            .iter()
            .flat_map(|value| std::iter::once(u8::try_from(value.len()).unwrap()).chain(value.bytes()))
            .collect();
        stage.say(&row).await;
        stage.say(EOF).await;
        stage.hear().await;
    })
    .await;
    let mut reader = ChunkReader::open(&mut wire, &table(), "SELECT a FROM t").await.unwrap();
    let end = reader.next(1 << 20).await;
    played.await.unwrap();
    assert!(wire.is_idle());
    end.map(|rows| assert!(rows.is_none()))
}

#[tokio::test]
async fn a_warning_fails_the_chunk_and_a_remark_does_not() {
    let error = with_warning("Warning", "1292").await.unwrap_err();
    assert!(matches!(error.kind, SourceErrorKind::Server { code: 1292, .. }), "{error}");
    with_warning("Note", "1105").await.unwrap();
    with_warning("Warning", "1287").await.unwrap();
}
