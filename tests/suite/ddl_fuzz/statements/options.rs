//! Clauses about the whole table.

use super::{At, some_column};
use crate::ddl_fuzz::server::Server;
use crate::ddl_fuzz::types;
use crate::load::Dice;

/// One clause.
pub fn draw(dice: &mut Dice, at: At<'_>) -> String {
    let maria = at.server.is_maria();
    match dice.below(30) {
        0..=4 => {
            let charset = types::charset(dice);
            let collate = if dice.percent(15) { format!(" COLLATE {charset}_bin") } else { String::new() };
            format!("CONVERT TO {} {charset}{collate}", dice.pick(&["CHARACTER SET", "CHARSET"]))
        }
        5..=7 => format!("{}CHARACTER SET {}{}", dice.pick(&["", "DEFAULT "]), dice.pick(&["", "= "]), types::charset(dice)),
        8 => format!("COLLATE {}", types::collation(dice)),
        9 | 10 => format!("ENGINE={}", dice.pick(&["InnoDB", "innodb", "MyISAM", "MEMORY", "ARCHIVE", "CSV"])),
        11 | 12 => format!("ROW_FORMAT={}", dice.pick(&["DYNAMIC", "COMPACT", "REDUNDANT", "COMPRESSED", "DEFAULT"])),
        13 => "COMMENT='ALTER TABLE o DROP COLUMN id'".to_owned(),
        14 => format!("AUTO_INCREMENT={}", dice.pick(&[1, 500, 100_000])),
        15 | 16 => "FORCE".to_owned(),
        17 | 18 => format!("ORDER BY {}{}", some_column(dice, at), dice.pick(&["", " DESC"])),
        19 => format!("KEY_BLOCK_SIZE={}", dice.pick(&[0, 4, 8])),
        20 => (*dice.pick(&["STATS_PERSISTENT=0", "STATS_AUTO_RECALC=1", "STATS_SAMPLE_PAGES=20"])).to_owned(),
        21 => (*dice.pick(&["CHECKSUM=1", "PACK_KEYS=1", "DELAY_KEY_WRITE=1", "MAX_ROWS=1000 MIN_ROWS=1", "AVG_ROW_LENGTH=50", "INSERT_METHOD=LAST"])).to_owned(),
        22 => (*dice.pick(&["DISABLE KEYS", "ENABLE KEYS"])).to_owned(),
        23 => format!("RENAME {}{}", dice.pick(&["TO ", "AS ", "= ", ""]), dice.pick(&["t", "t2", "T", "renamed"])),
        24 if dice.percent(40) => (*dice.pick(&["DISCARD TABLESPACE", "IMPORT TABLESPACE"])).to_owned(),
        25 if at.server == Server::Mysql97 => {
            (*dice.pick(&["WITH VALIDATION", "WITHOUT VALIDATION", "ENCRYPTION='N'", "SECONDARY_ENGINE=NULL", "COMPRESSION='none'", "TABLESPACE innodb_file_per_table", "AUTOEXTEND_SIZE=4M", "ENGINE_ATTRIBUTE='{}'"]))
                .to_owned()
        }
        25 if maria => (*dice.pick(&["PAGE_COMPRESSED=1", "TRANSACTIONAL=1", "PAGE_CHECKSUM=1", "IETF_QUOTES=YES", "ENCRYPTED=NO"])).to_owned(),
        26 | 27 if maria && at.wide => (*dice.pick(&[
            "ADD SYSTEM VERSIONING",
            "DROP SYSTEM VERSIONING",
            "ADD COLUMN ps DATE NOT NULL DEFAULT '2024-01-01', ADD COLUMN pe DATE NOT NULL DEFAULT '2024-12-31', ADD PERIOD FOR span (ps, pe)",
            "DROP PERIOD FOR span",
            "ADD PERIOD FOR SYSTEM_TIME (rs, re), ADD COLUMN rs TIMESTAMP(6) GENERATED ALWAYS AS ROW START, ADD COLUMN re TIMESTAMP(6) GENERATED ALWAYS AS ROW END, ADD SYSTEM VERSIONING",
        ]))
        .to_owned(),
        _ => (*dice.pick(&["COMMENT 'x'", "FORCE", "ENGINE InnoDB"])).to_owned(),
    }
}
