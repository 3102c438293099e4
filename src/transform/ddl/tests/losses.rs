//! Statements after which rows of the source change, or have changed, without a row event.

use super::*;

fn source(cascades: Cascades) -> impl Fn(&str, &[&str]) -> Result<Translated, TransformError> {
    move |sql, accepted| {
        let accepted = accepted.iter().map(|&name| name.to_owned()).collect();
        let rules = Rules { accepted_cascades: accepted, ..rules() };
        run_on(&orders(), sql, &rules, &Issued { cascades, ..issued(sql) })
    }
}

#[test]
fn a_cascade_that_the_log_will_not_show_stops_unless_it_is_accepted() {
    let run = source(Cascades { silent: true, inline: false });
    let named = "ALTER TABLE Orders ADD CONSTRAINT up FOREIGN KEY (b) REFERENCES p (id) ON DELETE CASCADE";
    let unnamed = "ALTER TABLE Orders ADD FOREIGN KEY (b) REFERENCES p (id) ON UPDATE SET NULL";
    for (sql, hint) in [
        (named, "accept_cascades = [\"Shop.Orders.up\"]"),
        (unnamed, "accept_cascades = [\"Shop.Orders.Orders_ibfk_1\"]"),
    ] {
        let Err(TransformError::Ddl { why, remedy, .. }) = run(sql, &[]) else { panic!("{sql}") };
        assert!(why.contains("cascade") && remedy.contains(hint), "{why} {remedy}");
        assert!(run(sql, &["other"]).is_err());
    }
    assert!(run(named, &["UP"]).is_ok());
    assert!(run(named, &["Orders_ibfk_1"]).is_err());
    assert!(run(unnamed, &["Orders_ibfk_3"]).is_ok());
    assert!(run(unnamed, &["7"]).is_ok());
    assert!(run("ALTER TABLE Orders ADD FOREIGN KEY (b) REFERENCES p (id) ON DELETE RESTRICT", &[]).is_ok());
    let logged = source(Cascades { silent: false, inline: true });
    assert!(logged(named, &[]).is_ok());
}

#[test]
fn a_cascade_in_a_columns_definition_counts_where_the_server_heeds_it() {
    let sql = "ALTER TABLE Orders ADD n INT REFERENCES p (id) ON DELETE CASCADE";
    assert!(source(Cascades { silent: true, inline: true })(sql, &[]).is_err());
    assert!(source(Cascades { silent: true, inline: false })(sql, &[]).is_ok());
}
