//! Session pinning: the settings that every session at the source gets, whatever the server's globals say.
//!
//! A global is the default of each new session, and somebody else's to change. What would change the value of a
//! row read, hide a row, or cut a read short is therefore set here, in the one list that all connections run
//! right after login (after `init_connect`, so that it has the last word). Every statement must be accepted by
//! MySQL from 5.6 and MariaDB from 10.5 on, for a user without any administrative privilege.
//!
//! What only some servers know stands in version comments, which the server itself judges, so that a proxy that
//! announces another version does no harm: `/*!80030 … */` is read by MySQL from 8.0.30 on (MariaDB skips
//! numbers from 50700 to 99999), `/*M!100101 … */` only by MariaDB from 10.1.1 on.

/// The statements, to be run in order, all at once where the server lets them be sent together; an error of any of them means that the session must not be used.
pub const PINS: [&str; 3] = [
    // Values come as utf8mb4 and literals are read as such. `SET NAMES` sets client, connection and result at
    // once.
    "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci",
    concat!(
        "SET SESSION",
        // TIMESTAMP is shown, and compared with literals, in UTC.
        " time_zone='+00:00'",
        // Each read is its own transaction: with 0 the first read would hold its view, and purge, until the
        // session ends.
        ", autocommit=1",
        // CHAIN would open a new transaction at each COMMIT, RELEASE would end the session.
        ", completion_type=0",
        // Off: PAD_CHAR_TO_FULL_LENGTH (pads CHAR), ANSI_QUOTES, NO_BACKSLASH_ESCAPES, PIPES_AS_CONCAT (other
        // SQL), the strict and zero-date modes (a zero date in a chunk's boundary would be an error). On: dates
        // such as 02-31 can be stored, so they can be boundaries.
        ", sql_mode='ALLOW_INVALID_DATES'",
        // A smaller limit cuts every SELECT without LIMIT, without a word. DEFAULT would be the global value.
        ", sql_select_limit=18446744073709551615",
        // Refuses SELECTs that it takes for large; 1 also turns max_join_size off.
        ", sql_big_selects=1",
        // Would write each result to a temporary table first.
        ", sql_buffer_result=0",
        // ORDER BY looks at this many bytes of a string: no key of InnoDB's 3072 bytes may tie for being cut.
        ", max_sort_length=8192",
        // Schema queries must not lose the tail of a list.
        ", group_concat_max_len=16777216",
        // A target that is slow for up to an hour must not cost the read: the server waits this long for us to
        // take more.
        ", net_write_timeout=3600",
        ", net_read_timeout=600",
        // An idle session is kept for eight hours.
        ", wait_timeout=28800",
        // Waiting behind an ALTER TABLE is told (error 1205) and tried again, rather than silent for up to a
        // year.
        ", lock_wait_timeout=60",
        // A limit on the run time of SELECTs, in milliseconds.
        " /*!50708 , max_execution_time=0 */",
        // Row estimates as they are, not as they were up to a day ago.
        " /*!80003 , information_schema_stats_expiry=0 */",
        // OFF hides the generated primary key from information_schema and SHOW CREATE TABLE.
        " /*!80030 , show_gipk_in_create_table_and_information_schema=ON */",
        // MariaDB: the same limit in seconds, and reading system-versioned tables as of now.
        " /*M!100101 , max_statement_time=0 */",
        " /*M!100304 , system_versioning_asof=DEFAULT */",
    ),
    // READ UNCOMMITTED would read rows that are rolled back later; SERIALIZABLE would lock what it reads. READ
    // ONLY makes sure that nothing is ever written at the source.
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
];

/// What a session that reads rows runs after [`PINS`]: text comes as it is stored and is decoded here, by the same
/// decoder as the log's. A server that converts (`character_set_results = utf8mb4`) makes a question mark of a byte that
/// the column's character set leaves undefined, and says nothing.
pub const TEXT_AS_STORED: &str = "SET SESSION character_set_results=NULL";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pin_falls_back_to_a_global() {
        for pin in PINS {
            let rest = pin.replace("system_versioning_asof=DEFAULT", "");
            assert!(!rest.contains("DEFAULT") && !rest.contains("GLOBAL"), "{pin}");
        }
    }

    #[test]
    fn version_comments_are_closed_and_stand_apart_from_their_number() {
        for pin in PINS {
            assert_eq!(pin.matches("/*").count(), pin.matches("*/").count());
            for comment in pin.split("/*").skip(1) {
                let body = comment.trim_start_matches(['M', '!']);
                let digits = body.chars().take_while(char::is_ascii_digit).count();
                assert!((5..=6).contains(&digits), "{comment}");
                assert_eq!(body.chars().nth(digits), Some(' '), "{comment}");
            }
        }
    }
}
