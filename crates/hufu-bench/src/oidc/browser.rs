//! A browser: it opens the login page, loads what belongs to it, and logs in.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, redirect};

use super::plain::{Answers, Fixed};
use super::world;

/// Headers that every server sets itself.
const OWN_HEADERS: [&str; 3] = ["date", "content-length", "connection"];

/// What a browser needs to submit the login form.
pub(super) struct Form {
    pub(super) cookie: String,
    pub(super) token: String,
    pub(super) request: String,
}

pub(super) struct Browser {
    http: Client,
    base: String,
}

impl Browser {
    pub(super) fn new(target: &str) -> Result<Browser> {
        let http = Client::builder()
            .no_proxy()
            .no_gzip()
            // Between two parts the server may close a connection that nobody uses.
            .pool_max_idle_per_host(0)
            .redirect(redirect::Policy::none())
            .tls_certs_only([])
            .build()?;
        Ok(Browser { http, base: format!("http://{target}") })
    }

    async fn get(&self, path: &str) -> Result<Response> {
        let request = self.http.get(format!("{}{path}", self.base));
        Ok(request.header(ACCEPT_ENCODING, "gzip, deflate, br").send().await?)
    }

    /// A response as another server can send it again.
    pub(super) async fn copy(&self, paths: &[&str]) -> Result<Answers> {
        let mut answers = Answers::new();
        for path in paths {
            let response = self.http.get(format!("{}{path}", self.base)).send().await?.error_for_status()?;
            let own = |name: &str| OWN_HEADERS.contains(&name);
            let headers = response.headers().iter().filter(|(name, _)| !own(name.as_str()));
            let headers = headers.map(|(name, value)| Ok((name.to_string(), value.to_str()?.to_owned())));
            let headers = headers.collect::<Result<_>>()?;
            answers.insert((*path).to_owned(), Fixed { headers, body: response.text().await? });
        }
        Ok(answers)
    }

    /// The path of the login page that an authorization request leads to.
    pub(super) async fn login_path(&self) -> Result<String> {
        let response = self.get(&world::authorization("")).await?;
        let location = response.headers().get(LOCATION).context("no login page is shown")?.to_str()?;
        let path = location.strip_prefix(&self.base).unwrap_or(location);
        ensure!(path.starts_with("/login?"), "the login page is elsewhere: {location}");
        Ok(path.to_owned())
    }

    /// Opens the login page.
    pub(super) async fn form(&self) -> Result<Form> {
        let response = self.get(&self.login_path().await?).await?.error_for_status()?;
        let cookie = cookies(&response).join("; ");
        let page = response.text().await?;
        let hidden = |name: &str| {
            let value = page.split_once(&format!("name=\"{name}\" value=\"")).map(|(_, rest)| rest);
            let value = value.and_then(|rest| rest.split('"').next()).map(str::to_owned);
            value.with_context(|| format!("the login page has no {name}"))
        };
        Ok(Form { cookie, token: hidden("form_token")?, request: hidden("request")? })
    }

    /// Logs in with this form. Returns the browser's cookies afterwards.
    pub(super) async fn log_in(&self, form: &Form, account: &str) -> Result<String> {
        let response = self.submit(form, account, world::PASSWORD).await?;
        ensure!(response.status() == 303, "a login on the page was answered with {}", response.status());
        let mut all = vec![form.cookie.clone()];
        all.extend(cookies(&response));
        Ok(all.join("; "))
    }

    /// The status of the response to a wrong password.
    pub(super) async fn refused_status(&self, form: &Form) -> Result<u16> {
        let status = self.submit(form, "nobody", "wrong-horse-battery").await?.status();
        ensure!(
            !status.is_success() && !status.is_redirection(),
            "a wrong password was answered with {status}"
        );
        Ok(status.as_u16())
    }

    async fn submit(&self, form: &Form, account: &str, password: &str) -> Result<Response> {
        let Form { cookie, token, request } = form;
        // Neither the values of the form nor the passwords have characters that must be encoded.
        let body = format!(
            "form_token={token}&request={request}&method=password&account={account}&password={password}&keep=1&submit=1"
        );
        let post = self.http.post(format!("{}/login", self.base));
        let post = post.header(COOKIE, cookie).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        Ok(post.body(body).send().await?)
    }

    /// The size of the login page and of each file that it loads, as they are sent.
    pub(super) async fn first_visit(&self) -> Result<Vec<(String, usize)>> {
        let response = self.get(&self.login_path().await?).await?.error_for_status()?;
        let page = response.bytes().await?;
        let mut sizes = vec![("/login".to_owned(), page.len())];
        for path in loaded(&String::from_utf8_lossy(&page)) {
            let file = self.get(&path).await?.error_for_status()?;
            sizes.push((path, file.bytes().await?.len()));
        }
        Ok(sizes)
    }
}

fn cookies(response: &Response) -> Vec<String> {
    let set = response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|cookie| cookie.split(';').next()).map(str::to_owned).collect()
}

/// The files of this server that a page loads: style sheets, scripts, images and icons.
fn loaded(page: &str) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for tag in page.split('<') {
        let loads = ["link ", "script ", "img ", "use "].iter().any(|name| tag.starts_with(name));
        let address = [" href=\"", " src=\""].iter().find_map(|name| tag.split_once(name));
        let address = address.and_then(|(_, rest)| rest.split(['"', '#']).next()).unwrap_or_default();
        if loads && address.starts_with('/') {
            files.insert(address.to_owned());
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loads_its_files_and_not_its_links() {
        let page = r##"<link rel="stylesheet" href="/assets/a.css"><a href="/register">x</a><script defer src="/b.js"></script>
<svg class="icon"><use href="/assets/icons.svg#eye"/></svg><svg><use href="/assets/icons.svg#x"/></svg><use href="#y"/>"##;
        let files: Vec<String> = loaded(page).into_iter().collect();
        assert_eq!(files, ["/assets/a.css", "/assets/icons.svg", "/b.js"]);
    }
}
