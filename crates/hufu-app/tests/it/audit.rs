//! Querying and exporting the audit log.

use std::time::Duration;

use futures::TryStreamExt as _;
use hufu_app::AdminCaller;
use hufu_app::audit::{AuditFilter, ExportFormat};
use hufu_testkit::on_both_engines;
use hufu_types::refusal::Code;
use hufu_types::{Action, AdminRole, EventId, PoolRole, UserId};

use crate::events::{World, command, pool};

impl World {
    async fn export(&self, filter: AuditFilter, format: ExportFormat) -> String {
        let pieces = self.app.export_audit(&command(), &pool(), filter, format).await.unwrap();
        let pieces: Vec<Vec<u8>> = pieces.try_collect().await.unwrap();
        String::from_utf8(pieces.concat()).unwrap()
    }
}

fn of(user: &str) -> AuditFilter {
    AuditFilter { user: Some(UserId::parse(user).unwrap()), ..AuditFilter::default() }
}

on_both_engines! {
    async fn entries_are_found_page_by_page(database) {
        let world = World::new(database).await;
        for n in 0..7 {
            world.happen(Action::Login, if n % 2 == 0 { "alice" } else { "bob" }).await;
        }
        let mut ids: Vec<EventId> = Vec::new();
        let mut before = None;
        loop {
            let page = world.app.audit_events(&command(), &pool(), &of("alice"), before, 2).await.unwrap();
            ids.extend(page.events.into_iter().map(|event| event.id));
            before = page.next;
            if before.is_none() { break }
        }
        assert_eq!(ids.len(), 4);
        assert!(ids.is_sorted_by(|a, b| a > b));
        let event = world.app.audit_event(&command(), &pool(), &ids[0]).await.unwrap();
        assert_eq!((event.action.as_str(), event.user.as_deref()), ("login", Some("alice")));
        let unknown = world.app.audit_event(&command(), &pool(), &EventId::parse("x").unwrap()).await.unwrap_err();
        assert!(unknown.is(Code::NoSuchEvent));

        let support = AdminCaller {
            roles: vec![PoolRole { pool: None, role: AdminRole::Support }],
            ..command()
        };
        let refused = world.app.audit_events(&support, &pool(), &of("alice"), None, 2).await.unwrap_err();
        assert!(refused.is(Code::NotPermitted));
    }

    async fn exports_hold_everything_and_are_themselves_in_the_log(database) {
        let world = World::new(database).await;
        for _ in 0..1203 {
            world.happen(Action::Login, "alice").await;
        }
        world.happen(Action::Login, "bob").await;
        let lines = world.export(of("alice"), ExportFormat::JsonLines).await;
        let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1203);
        assert_eq!((&lines[0]["action"], &lines[0]["details"]["by"]), (&"login".into(), &"test".into()));

        let csv = world.export(of("bob"), ExportFormat::Csv).await;
        let rows: Vec<&str> = csv.split_terminator("\r\n").collect();
        assert_eq!(rows.len(), 2);
        assert!(rows[0].starts_with("id,time,action,code,"));
        assert!(rows[1].contains(",\"'=cmd()\","), "no spreadsheet runs it: {}", rows[1]);

        let exported = AuditFilter { actions: vec![Action::AuditExported], ..AuditFilter::default() };
        let page = world.app.audit_events(&command(), &pool(), &exported, None, 10).await.unwrap();
        assert_eq!(page.events.len(), 2);
        assert_eq!(page.events.iter().filter(|event| event.details["filter"]["userId"] == "bob").count(), 1);
    }

    async fn entries_are_kept_as_long_as_the_pool_says(database) {
        let world = World::new(database).await;
        world.happen(Action::Login, "alice").await;
        let count = async || {
            let page = world.app.audit_events(&command(), &pool(), &of("alice"), None, 10).await.unwrap();
            page.events.len()
        };
        world.clock.advance(Duration::from_secs(179 * 86_400));
        world.app.sweep().await.unwrap();
        assert_eq!(count().await, 1);
        world.clock.advance(Duration::from_secs(2 * 86_400));
        world.app.sweep().await.unwrap();
        assert_eq!(count().await, 1, "it is not in the statistics yet");
        world.app.count_statistics().await.unwrap();
        world.app.sweep().await.unwrap();
        assert_eq!(count().await, 0);
    }
}

/// Webhooks and readers of the log wait for each action that is documented, so each is recorded somewhere.
#[test]
fn every_action_is_recorded_somewhere() {
    let mut source = String::new();
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                source.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for action in Action::ALL {
        let name = format!("Action::{action:?}");
        let mut uses = source.match_indices(&name).map(|(at, _)| source[at + name.len()..].chars().next());
        assert!(uses.any(|next| !next.is_some_and(char::is_alphanumeric)), "{name} is never recorded");
    }
}
