//! The many pools, as a file for `hufu apply`.

use std::fmt::Write as _;

use hufu_types::PoolId;

use crate::world::REGISTER_SOURCE;

/// This many pools.
#[derive(Clone, Copy)]
pub(super) struct Pools(pub(super) usize);

impl Pools {
    /// The id of the pool at this position. Positions wrap around after the last pool.
    pub(super) fn id(self, place: usize) -> anyhow::Result<PoolId> {
        Ok(PoolId::parse(&format!("{:024x}", 0x00aa_0000_0000_usize + place % self.0.max(1)))?)
    }

    /// The id of a pool's first application.
    pub(super) fn application(self, place: usize) -> String {
        application(place % self.0.max(1), 0)
    }

    pub(super) fn apply_file(self) -> String {
        let mut text = String::new();
        for place in 0..self.0 {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "[[user_pool]]\nid = \"{:024x}\"\nname = \"Pool {place}\"\n",
                0x00aa_0000_0000_usize + place
            );
            for number in 0..3 {
                let _ = write!(
                    text,
                    "[[user_pool.connection]]\nidentifier = \"mini-{number}\"\ntype = \"{REGISTER_SOURCE}\"\n\
                     display_name = \"WeChat\"\nopen_platform = \"bench\"\n\
                     fields = {{ app_id = \"wx{:016x}\", app_secret = \"0123456789abcdef0123456789abcdef\" }}\n",
                    place * 3 + number
                );
            }
            for number in 0..3 {
                let _ = write!(
                    text,
                    "[[user_pool.application]]\nid = \"{}\"\nname = \"Application {number}\"\ntype = \"mini-program\"\n\
                     default = {}\nconnections = [\"mini-{number}\"]\n",
                    application(place, number),
                    number == 0
                );
            }
        }
        text
    }
}

fn application(place: usize, number: usize) -> String {
    format!("{:024x}", 0x00bb_0000_0000_usize + place * 3 + number)
}
