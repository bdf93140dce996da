//! The streams of events that a node keeps open. Each holds a place of its network and one of its ticket until it ends,
//! behind a proxy as without: there the client is who the proxy says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hufu_types::TokenHash;

use crate::Limits;

/// Who holds places.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Holder {
    Network(String),
    Ticket(TokenHash),
}

/// How many streams are open, by holder. Holders without any are not kept.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<Holder, u32>>);

impl Streams {
    fn open(&self) -> MutexGuard<'_, HashMap<Holder, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more. `None` if the network or the ticket has as many as it may.
    pub(super) fn take(
        self: &Arc<Self>,
        network: String,
        ticket: &TokenHash,
        limits: &Limits,
    ) -> Option<Place> {
        let holders = [
            (Holder::Network(network), limits.qr_streams_per_ip),
            (Holder::Ticket(ticket.clone()), limits.qr_streams_per_code),
        ];
        let mut open = self.open();
        if holders.iter().any(|(holder, most)| open.get(holder).is_some_and(|held| held >= most)) {
            return None;
        }
        let holders = holders.map(|(holder, _)| holder);
        for holder in &holders {
            *open.entry(holder.clone()).or_default() += 1;
        }
        drop(open);
        Some(Place { of: Arc::clone(self), holders })
    }
}

/// The place of one stream. It is given back when this is dropped.
pub(super) struct Place {
    of: Arc<Streams>,
    holders: [Holder; 2],
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.of.open();
        for holder in &self.holders {
            if let Some(held) = open.get_mut(holder) {
                *held = held.saturating_sub(1);
                if *held == 0 {
                    open.remove(holder);
                }
            }
        }
    }
}
