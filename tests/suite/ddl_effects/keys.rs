//! Names that differ by case alone.

use super::{Case, Outcome, try_all};
use crate::harness::{mariadb, mysql56, mysql97};

#[tokio::test]
async fn a_name_that_changes_its_case_is_another_where_names_differ_by_case() {
    for mysql in [mysql97().await, mysql56().await, mariadb().await] {
        assert_eq!(mysql.one("SELECT @@lower_case_table_names").await, "0");
        let made = "CREATE TABLE {t} (id INT PRIMARY KEY); INSERT INTO {t} VALUES (1)";
        let case = |table, statement| Case {
            table,
            made,
            session: "SET sql_mode = ''",
            statement,
            outcome: Outcome::Told("rename_table"),
        };
        let cases = [
            case("by_alter", "ALTER TABLE {t} RENAME TO By_Alter; INSERT INTO By_Alter VALUES (2)"),
            case("by_rename", "RENAME TABLE {t} TO BY_RENAME; INSERT INTO BY_RENAME VALUES (2)"),
        ];
        try_all(mysql, &format!("effect_case_{}", mysql.kind()), &cases).await;
    }
}
