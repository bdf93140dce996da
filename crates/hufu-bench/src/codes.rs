//! Login codes, which are created before the timed part through the sandbox's control API.

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::World;

/// Concurrent control calls.
const PARALLEL: usize = 16;

/// The sandbox's control API.
pub(crate) struct Wechat {
    http: reqwest::Client,
    control: String,
    world: World,
}

/// A person with a name in the sandbox, and the ids that the mini program gets for them.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) openid: String,
    pub(crate) unionid: String,
}

impl Wechat {
    /// Registers the mini program.
    pub(crate) async fn new(base: &str, world: &World) -> Result<Wechat> {
        Wechat::of(base, world, "miniprogram").await
    }

    /// Registers the app as one of this kind.
    pub(crate) async fn of(base: &str, world: &World, kind: &str) -> Result<Wechat> {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
        let wechat = Wechat { http, control: format!("{base}/__sandbox"), world: world.clone() };
        let World { app_id, app_secret, open_platform, .. } = world;
        let app =
            json!({ "app_id": app_id, "secret": app_secret, "open_platform": open_platform, "kind": kind });
        wechat.post("apps", &app).await?;
        Ok(wechat)
    }

    /// Creates people with names, who follow the official account.
    pub(crate) async fn followers(&self, count: usize) -> Result<Vec<Person>> {
        let people = self.people(count).await?;
        stream::iter(&people)
            .map(|person| async move {
                let follows = json!({ "app_id": self.world.app_id, "user": person.name });
                self.post("follow", &follows).await
            })
            .buffered(PARALLEL)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(people)
    }

    /// Creates people with names, who can log in repeatedly.
    pub(crate) async fn people(&self, count: usize) -> Result<Vec<Person>> {
        stream::iter(0..count)
            .map(|number| async move {
                let name = format!("bench-{number}");
                let view = self.post("users", &json!({ "name": name })).await?;
                let ids = view.get("ids").and_then(Value::as_array).into_iter().flatten();
                let mut ids =
                    ids.filter(|ids| ids.get("app_id").and_then(Value::as_str) == Some(&self.world.app_id));
                let ids = ids.next().context("the sandbox returned no ids for a person")?;
                let text = |field| ids.get(field).and_then(Value::as_str).map(str::to_owned);
                let (openid, unionid) = (text("openid"), text("unionid"));
                Ok(Person {
                    name,
                    openid: openid.context("no openid")?,
                    unionid: unionid.context("no unionid")?,
                })
            })
            .buffered(PARALLEL)
            .try_collect()
            .await
    }

    /// Creates one code for each of this many new people.
    pub(crate) async fn new_people(&self, count: usize) -> Result<Vec<String>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        self.codes(&json!({ "app_id": self.world.app_id, "fresh_users": count })).await
    }

    /// Creates this many codes, spread evenly over these people. Everyone's first code comes before anyone's
    /// second.
    pub(crate) async fn returning(&self, people: &[Person], count: usize) -> Result<Vec<String>> {
        let each = count.div_ceil(people.len().max(1));
        let of_people: Vec<Vec<String>> = stream::iter(people)
            .map(|person| async move {
                self.codes(&json!({ "app_id": self.world.app_id, "user": person.name, "count": each })).await
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        let rounds = (0..each).flat_map(|round| of_people.iter().filter_map(move |codes| codes.get(round)));
        Ok(rounds.take(count).cloned().collect())
    }

    /// Creates codes that alternate between first logins and returning people.
    pub(crate) async fn mix(&self, people: &[Person], count: usize) -> Result<Vec<String>> {
        let half = count.div_ceil(2);
        let (new_people, returning) =
            futures::try_join!(self.new_people(half), self.returning(people, half))?;
        Ok(new_people.into_iter().zip(returning).flat_map(<[String; 2]>::from).collect())
    }

    async fn codes(&self, request: &Value) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Codes {
            codes: Vec<String>,
        }
        let answer = self.post("codes", request).await?;
        Ok(serde_json::from_value::<Codes>(answer)?.codes)
    }

    async fn post(&self, call: &str, body: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}/{call}", self.control)).body(body.to_string());
        let answer = request
            .send()
            .await?
            .error_for_status()
            .with_context(|| format!("the sandbox refused {call}"))?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }
}
