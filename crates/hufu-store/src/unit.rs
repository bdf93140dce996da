//! Units of work, and how they are queued.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::{StoreError, Tx};

/// A unit of work that writes. Either all of it is committed or none of it. It may be run again after a lost
/// race, and it runs to completion even if the caller is gone.
pub trait Write: Send + Sync + 'static {
    /// What the caller receives after the commit.
    type Out: Send + 'static;

    /// Runs the unit. An error rolls back what it wrote.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Out, StoreError>> + Send;
}

/// A unit that only reads.
pub trait Read: Send + Sync + 'static {
    /// What the caller receives.
    type Out: Send + 'static;

    /// Runs the unit.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Out, StoreError>> + Send;
}

/// A unit in the queue of a SQLite thread, with its result type erased.
pub(crate) trait Queued: Send {
    /// Runs the unit once and stores its result. Returns `false` if it must be rolled back.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Sends the stored result to the caller, or `failure` if the batch was lost.
    fn answer(self: Box<Self>, failure: Option<&str>);
}

/// A queued unit and the channel back to its caller.
pub(crate) struct Waiting<U, Out> {
    unit: U,
    run: for<'t> fn(&'t U, &'t mut Tx<'_>) -> BoxFuture<'t, Result<Out, StoreError>>,
    kept: Option<Result<Out, StoreError>>,
    caller: oneshot::Sender<Result<Out, StoreError>>,
}

impl<U, Out> Waiting<U, Out> {
    pub(crate) fn write(unit: U) -> (Box<Self>, oneshot::Receiver<Result<Out, StoreError>>)
    where
        U: Write<Out = Out>,
    {
        Self::new(unit, |unit, tx| Box::pin(Write::run(unit, tx)))
    }

    pub(crate) fn read(unit: U) -> (Box<Self>, oneshot::Receiver<Result<Out, StoreError>>)
    where
        U: Read<Out = Out>,
    {
        Self::new(unit, |unit, tx| Box::pin(Read::run(unit, tx)))
    }

    fn new(
        unit: U,
        run: for<'t> fn(&'t U, &'t mut Tx<'_>) -> BoxFuture<'t, Result<Out, StoreError>>,
    ) -> (Box<Self>, oneshot::Receiver<Result<Out, StoreError>>) {
        let (caller, answer) = oneshot::channel();
        (Box::new(Self { unit, run, kept: None, caller }), answer)
    }
}

impl<U: Send, Out: Send> Queued for Waiting<U, Out> {
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // rusqlite is synchronous, so a single poll completes the unit.
        let poll = || (self.run)(&self.unit, tx).now_or_never().unwrap_or(Err(StoreError::Stopped));
        // A unit that panics is rolled back. The thread and the other units carry on.
        let result = catch_unwind(AssertUnwindSafe(poll)).unwrap_or(Err(StoreError::Panicked));
        let keep = result.is_ok();
        self.kept = Some(result);
        keep
    }

    fn answer(self: Box<Self>, failure: Option<&str>) {
        let result = match (self.kept, failure) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(out)), None) => Ok(out),
            (_, Some(failure)) => Err(StoreError::Batch(failure.to_owned())),
            (None, None) => Err(StoreError::Stopped),
        };
        // The caller may be gone; the unit has completed anyway.
        let _ = self.caller.send(result);
    }
}
