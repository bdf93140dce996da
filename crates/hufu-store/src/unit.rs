//! Units of work, and how the engines see them.

use std::future::Future;
use std::sync::Mutex;

use futures::future::BoxFuture;

use crate::{StoreError, Tx};

/// A unit that writes: all of it is committed, or nothing. It may run again
/// after a lost race, and it runs to its end even if its caller is gone.
pub trait Write: Send + Sync + 'static {
    /// What the caller gets after the commit.
    type Out: Send + 'static;

    /// Runs the unit. An error rolls back what it wrote.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Out, StoreError>> + Send;

    /// Whether PostgreSQL may run the unit in one transaction with others that are about something else, and
    /// what it is about: a key that two units have in common if one of them must see what the other wrote.
    /// For units that usually need only the statements that may run in groups ([`crate::statements_in_groups`]).
    fn group(&self) -> Option<u64> {
        None
    }
}

/// A unit that only reads.
pub trait Read: Send + Sync + 'static {
    /// What the caller receives.
    type Out: Send + 'static;

    /// Runs the unit.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Out, StoreError>> + Send;

    /// Whether PostgreSQL may run the unit together with others that read. For frequent units that usually need only the
    /// statements that may run in groups ([`crate::statements_in_groups`]).
    fn may_share(&self) -> bool {
        false
    }
}

/// A unit of either kind with its type erased, so that queues, transactions and retries are compiled once, and not once
/// per unit.
pub(crate) trait Unit: Send + Sync {
    /// Runs the unit and stores its output in itself.
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), StoreError>>;

    /// See [`Write::group`]. What is read has no keys: any may be read together.
    fn group(&self) -> Option<u64>;
}

/// A unit with a place for the output of its last run.
pub(crate) struct WithOutput<U, Out> {
    unit: U,
    output: Mutex<Option<Out>>,
}

impl<U, Out> WithOutput<U, Out> {
    pub(crate) fn new(unit: U) -> Self {
        Self { unit, output: Mutex::new(None) }
    }

    /// The output, once the engine has reported success.
    pub(crate) fn take(&self) -> Result<Out, StoreError> {
        let mut output = self.output.lock().map_err(|_| StoreError::Panicked)?;
        output.take().ok_or(StoreError::Stopped)
    }

    fn keep(&self, out: Out) -> Result<(), StoreError> {
        let mut output = self.output.lock().map_err(|_| StoreError::Panicked)?;
        *output = Some(out);
        Ok(())
    }
}

/// A unit that writes.
pub(crate) struct Writing<W: Write>(pub(crate) WithOutput<W, W::Out>);

impl<W: Write> Unit for Writing<W> {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { self.0.keep(self.0.unit.run(tx).await?) })
    }

    fn group(&self) -> Option<u64> {
        self.0.unit.group()
    }
}

/// A unit that reads.
pub(crate) struct Reading<R: Read>(pub(crate) WithOutput<R, R::Out>);

impl<R: Read> Unit for Reading<R> {
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { self.0.keep(self.0.unit.run(tx).await?) })
    }

    fn group(&self) -> Option<u64> {
        self.0.unit.may_share().then_some(0)
    }
}
