//! The key pairs with which clients encrypt passwords. They are created on first use, one of each kind for
//! the whole instance. Each node keeps them parsed.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::keys::{GetPasswordKey, PutPasswordKey};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::rsa_key::RsaKey;
use super::sm2_key::Sm2Key;
use crate::{App, Refusal};

const RSA: &str = "rsa";
const SM2: &str = "sm2";

/// The key pairs that a node has loaded.
#[derive(Default)]
pub(crate) struct PasswordKeys {
    rsa: OnceCell<Arc<RsaKey>>,
    sm2: OnceCell<Arc<Sm2Key>>,
}

impl App {
    /// The RSA public key for passwords as PEM (SubjectPublicKeyInfo).
    #[boxed]
    pub async fn password_rsa_public_key(&self) -> Result<String, Refusal> {
        Ok(self.password_rsa_key().await?.public_pem().to_owned())
    }

    /// The SM2 public key for passwords: `04` and both coordinates in hexadecimal (GB/T 32918).
    #[boxed]
    pub async fn password_sm2_public_key(&self) -> Result<String, Refusal> {
        Ok(self.password_sm2_key().await?.public_hex().to_owned())
    }

    pub(super) async fn password_rsa_key(&self) -> Result<Arc<RsaKey>, Refusal> {
        let read = || async {
            let made = async || {
                let pair = tokio::task::spawn_blocking(RsaKey::generate).await.map_err(Refusal::internal)?;
                pair.map_err(Refusal::internal)
            };
            let der = self.password_key(RSA, made).await?;
            RsaKey::from_pkcs8(&der).map(Arc::new).map_err(Refusal::internal)
        };
        self.password_keys.rsa.get_or_try_init(read).await.cloned()
    }

    pub(super) async fn password_sm2_key(&self) -> Result<Arc<Sm2Key>, Refusal> {
        let read = || async {
            let scalar = self.password_key(SM2, async || Ok(Sm2Key::generate(&*self.random))).await?;
            Sm2Key::from_scalar(&scalar).map(Arc::new).map_err(Refusal::internal)
        };
        self.password_keys.sm2.get_or_try_init(read).await.cloned()
    }

    /// Reads the key pair of the instance, or creates it. If another node was faster, uses that node's.
    async fn password_key(
        &self,
        kind: &'static str,
        make: impl AsyncFnOnce() -> Result<Zeroizing<Vec<u8>>, Refusal>,
    ) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let context = key_context(kind);
        let sealed = if let Some(sealed) = self.read(GetPasswordKey(kind)).await? {
            sealed
        } else {
            let sealed = self.sealing.seal(&*self.random, &context, &make().await?);
            self.write(PutPasswordKey { kind, sealed, now: self.now() }).await?
        };
        let opened = self.sealing.open(&context, &sealed).map_err(Refusal::internal)?;
        Ok(Zeroizing::new(opened.expose().to_vec()))
    }
}

/// The sealing context of a key pair.
pub(crate) fn key_context(kind: &str) -> String {
    format!("password_key:{kind}")
}
