//! Sessions of a side stream's attempt end before the next one begins: what was on its way to the target is durable, or never will be.

use crate::harness::postgres;
use rowferry::testing::sink::owner::Sessions;
use rowferry::testing::sink::{Owner, Session};

#[tokio::test]
async fn sessions_of_an_attempt_end_together_and_leave_no_record() {
    let database = postgres().await.database("healing_sessions").await;
    let endpoint = database.endpoint();
    let owner = Owner::take(&endpoint, "healing").await.unwrap();
    let sessions = Sessions::default();
    let aside = owner.aside(&endpoint, 1, &sessions).await.unwrap();
    let working = Session::connect(&endpoint, "rowferry/healing/working").await.unwrap();
    aside.register(&working, "copy 1").await.unwrap();
    database.sql("CREATE TABLE public.late (id int)").await;
    working.client().batch_execute("BEGIN; INSERT INTO public.late VALUES (1)").await.unwrap();
    let other = Sessions::default();
    let beside = owner.aside(&endpoint, 2, &other).await.unwrap();
    owner.end(&sessions).await.unwrap();
    assert!(working.client().batch_execute("COMMIT").await.is_err(), "it could commit");
    assert!(aside.session().client().batch_execute("SELECT 1").await.is_err());
    assert_eq!(database.one("SELECT count(*) FROM public.late").await, "0");
    let on_record = "SELECT string_agg(role, ', ' ORDER BY slot) FROM rowferry.healing_owner";
    assert_eq!(database.one(on_record).await, "owner, side 2");
    // Others go on.
    beside.session().client().batch_execute("SELECT 1").await.unwrap();
    owner.end(&sessions).await.unwrap();
}
