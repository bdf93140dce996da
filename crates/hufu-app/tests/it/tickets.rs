//! Tickets of logins by QR code, step by step.

use hufu_app::tickets::{Advance, Advanced, IssueTicket, TicketIssued};
use hufu_store::Store;
use hufu_store::qr_tickets::NewTicket;
use hufu_testkit::on_both_engines;
use hufu_types::{TicketKind, TicketState};

use crate::support::{NOW, application, connection, hash, migrated, pool, seconds};

async fn issue(store: &Store) {
    let ticket = NewTicket {
        hash: hash("ticket"),
        scene: Some("AAAAAAAAAAAAAAAAAAAAAA".to_owned()),
        short_code: None,
        kind: TicketKind::MiniProgram,
        application: application(),
        connection: Some(connection()),
        cookie: None,
        details: vec![0],
        created_at: NOW,
        expires_at: NOW.plus(seconds(120)),
    };
    let unit = IssueTicket { pool: pool(), tickets: vec![ticket], guards: Vec::new(), now: NOW };
    assert!(matches!(store.write(unit).await.unwrap(), TicketIssued::At(0)));
}

/// A scan by somebody who proves this, decided when that had been proved.
async fn scan(store: &Store, proof: &[u8], over: Option<&[u8]>) -> Advanced {
    let unit = Advance {
        hash: hash("ticket"),
        to: TicketState::Scanned,
        proof: Some(proof.to_vec()),
        over: over.map(<[u8]>::to_vec),
        shown: None,
        by: None,
        failure: None,
        confirmed_until: NOW.plus(seconds(60)),
        now: NOW,
    };
    store.write(unit).await.unwrap()
}

on_both_engines! {
    async fn of_two_who_scan_at_once_the_first_stays(database) {
        let store = migrated(&database).await;
        issue(&store).await;
        // Both looked before either wrote.
        assert!(matches!(scan(&store, b"first", None).await, Advanced::Done(_)));
        assert!(matches!(scan(&store, b"second", None).await, Advanced::OfAnother));
        // Whoever saw what is there, and that it is their own, may scan again.
        let Advanced::Done(progress) = scan(&store, b"again", Some(b"first")).await else { panic!("refused") };
        assert_eq!(progress.proof.as_deref(), Some(b"again".as_slice()));
    }
}
