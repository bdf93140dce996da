//! Callbacks of a website: browsers that come back from WeChat, whose login returns to a published client with the user
//! and a token. Beside it the floor, on the same database.

use anyhow::{Context as _, Result};

use super::world;
use super::{Case, SHARE_OF_FLOOR};
use crate::database::Database;
use crate::generator::this_program;
use crate::load::{Figures, Watched};
use crate::process::Process;
use crate::requests::Order;
use crate::run::whole;
use crate::sheet::SERVER;
use crate::world::forwarded;

/// Callbacks that are prepared for each second. If they run out, the part ends sooner.
const MOST_PER_SECOND: f64 = 2000.0;
/// The people who log in again and again. They make half of all logins.
const RETURNING: usize = 1000;

impl Case<'_> {
    /// Callbacks of the server, and of the floor.
    pub(super) fn callbacks(&mut self, node: &Watched, database: &Database<'_>) -> Result<()> {
        let figures = self.called_back(node, node)?;
        self.sheet.load(SERVER, "callbacks of a website", "login", &figures);

        let mut command = this_program()?;
        let api_base = format!("{}/api", self.wechat_base);
        command.args(["floor", "--database", &database.url(), "--api-base", &api_base]);
        let mut process = Process::start("floor", command.args(world::website().arguments()))?;
        let target = process.address()?.to_string();
        let floor = Watched { target, program: process.id(), database: node.database };
        let least = self.called_back(node, &floor)?;
        self.sheet.load("floor", "callbacks of a website", "login", &least);
        let name = "callbacks of a website, server / floor, logins/s";
        self.sheet.share(SERVER, name, figures.rate() / least.rate(), SHARE_OF_FLOOR);
        let name = "callbacks of a website, server / floor, CPU";
        let cpu = |figures: &Figures| {
            (figures.cpu.program + figures.cpu.database.unwrap_or_default()).as_secs_f64()
        };
        self.sheet.figure(SERVER, name, &crate::report::percent(cpu(&figures) / cpu(&least)));
        Ok(())
    }

    /// Browsers leave for WeChat through the server, and come back to this program.
    fn called_back(&self, server: &Watched, program: &Watched) -> Result<Figures> {
        let count = whole(MOST_PER_SECOND * self.options.seconds);
        let addresses: Vec<String> = (0..count).map(forwarded).collect();
        let departed = self.load.each(server, &world::depart(), &addresses)?.kept;
        let codes = self.runtime.block_on(async {
            let people = self.website.people(RETURNING).await?;
            self.website.mix(&people, count).await
        })?;
        let values = departed.iter().zip(codes).enumerate();
        let values = values.map(|(number, (departed, code))| {
            let (state, cookie) = departed.split_once('\t').context("a browser without a cookie")?;
            Ok(format!("{state}\t{cookie}\t{code}\t{}", forwarded(number)))
        });
        let values = values.collect::<Result<Vec<String>>>()?;
        self.load.measure(program, &world::callback(), &values, Order::Once)
    }
}
