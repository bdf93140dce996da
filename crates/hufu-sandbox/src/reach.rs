//! Where the sandbox sends its own calls, and how much it reads of the answers. Whoever may control it must not reach by it
//! what they cannot reach themselves.

use reqwest::Response;
use url::{Host, Url};

/// How much of an answer is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// Whether an address is on this machine. A name other than `localhost` could lead anywhere.
pub(crate) fn is_on_this_machine(url: &str) -> bool {
    match Url::parse(url).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The status of an answer and the beginning of its body.
pub(crate) async fn read(mut response: Response) -> Result<(u16, String), reqwest::Error> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while body.len() < MAX_ANSWER
        && let Some(part) = response.chunk().await?
    {
        body.extend(part.iter().take(MAX_ANSWER - body.len()));
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
