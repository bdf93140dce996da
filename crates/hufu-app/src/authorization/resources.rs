//! Resource indicators (RFC 8707): the APIs that a client's access token is for.
//!
//! A grant that names resources never gives a token for Hufu's own endpoints, whatever becomes of the resources.

use std::collections::HashSet;
use std::sync::Arc;

use hufu_types::refusal::Code;
use hufu_types::{Application, PoolId};

use super::request::Parameters;
use crate::{App, Refusal};

impl Parameters {
    /// The resources that the request names, in its order and each once.
    pub fn resources(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        self.all("resource").filter(|resource| seen.insert(*resource)).map(str::to_owned).collect()
    }
}

impl App {
    /// Checks that each of these is an API of the pool.
    ///
    /// # Errors
    /// [`Code::TargetInvalid`].
    pub(crate) fn check_resources(&self, pool: &PoolId, asked: &[String]) -> Result<(), Refusal> {
        let config = self.config();
        if asked.len() > self.limits.resources_per_request {
            return Err(Code::TargetInvalid.because("too many resources"));
        }
        if asked.iter().all(|resource| config.resource(pool, resource).is_some()) {
            Ok(())
        } else {
            Err(Code::TargetInvalid.because("no enabled application of the pool is the resource"))
        }
    }

    /// The APIs that these resources are, for people to read.
    pub(crate) fn apis(&self, pool: &PoolId, resources: &[String]) -> Vec<Arc<Application>> {
        let config = self.config();
        resources.iter().filter_map(|resource| config.resource(pool, resource).cloned()).collect()
    }

    /// The resources of an access token: those that the client asks for now, otherwise all that were granted, as far as the
    /// pool still has them. Whether what it asks for was granted, the unit has looked at: see [`are_granted`].
    ///
    /// # Errors
    /// [`Code::TargetInvalid`] if the pool has none of them any more.
    pub(crate) fn target(
        &self,
        pool: &PoolId,
        asked: Vec<String>,
        granted: Vec<String>,
    ) -> Result<Vec<String>, Refusal> {
        if granted.is_empty() {
            return Ok(granted);
        }
        let config = self.config();
        let mut target = if asked.is_empty() { granted } else { asked };
        target.retain(|resource| config.resource(pool, resource).is_some());
        // An empty list would stand for Hufu's own endpoints.
        if target.is_empty() {
            Err(Code::TargetInvalid.because("the pool has none of them any more"))
        } else {
            Ok(target)
        }
    }
}

/// Whether everything that a client asks for now was granted.
pub(crate) fn are_granted(asked: &[String], granted: &[String]) -> bool {
    asked.iter().all(|resource| granted.contains(resource))
}
