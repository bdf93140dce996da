//! The two programs that are measured, and how each is started.

use std::net::SocketAddr;

use anyhow::Result;

use crate::database::Database;
use crate::generator::this_program;
use crate::process::Process;
use crate::server::Server;
use crate::world::World;

/// A program that handles logins.
pub(super) trait Program {
    /// Starts the program on this database and waits until it responds.
    fn start(&self, database: &Database<'_>) -> Result<(Process, SocketAddr)>;
}

/// The floor.
pub(super) struct Floor {
    pub(super) world: World,
    pub(super) api_base: String,
}

impl Program for Floor {
    fn start(&self, database: &Database<'_>) -> Result<(Process, SocketAddr)> {
        let mut command = this_program()?;
        command.args(["floor", "--database", &database.url(), "--api-base", &self.api_base]);
        let mut process = Process::start("floor", command.args(self.world.arguments()))?;
        let address = process.address()?;
        Ok((process, address))
    }
}

impl Program for Server {
    fn start(&self, _database: &Database<'_>) -> Result<(Process, SocketAddr)> {
        Server::start(self)
    }
}
