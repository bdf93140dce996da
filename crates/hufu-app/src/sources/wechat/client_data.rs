//! What mini programs can query outside of login: phone numbers and encrypted data. Neither registers a user
//! nor binds anything.

use async_recursion::async_recursion as boxed;
use hufu_types::{Application, Connection};
use hufu_wechat::Budget;
use serde_json::{Map, Value};

use crate::sources::SealedData;
use crate::sources::wechat::exchange::{check_code, wechat_refusal};
use crate::sources::wechat::log_refusal;
use crate::{App, Refusal};

/// A phone number from WeChat.
#[derive(Clone)]
pub struct WechatPhone {
    /// The number as WeChat formats it, sometimes with the country code in front.
    pub phone_number: String,
    /// Without the country code.
    pub pure_phone_number: String,
    /// The country code without a plus sign.
    pub country_code: String,
    /// The AppID that WeChat issued it for.
    pub app_id: String,
    /// When WeChat issued it, in Unix seconds.
    pub timestamp: i64,
}

/// A phone number and its owner's ids.
#[derive(Clone)]
pub struct WechatPhoneOwner {
    /// The number.
    pub phone: WechatPhone,
    /// The user's OpenID in the mini program.
    pub openid: String,
    /// The user's UnionID in the Open Platform account.
    pub unionid: Option<String>,
}

impl App {
    /// The phone number for a code of the phone button.
    #[boxed]
    pub async fn phone_by_code(
        &self,
        application: &Application,
        connection: &Connection,
        code: &str,
        ip: Option<&str>,
    ) -> Result<WechatPhone, Refusal> {
        check_code(code)?;
        self.require_available(connection)?;
        let _place = self.enter_lane(&application.pool, ip).await;
        let budget = Budget::of(self.limits.request_budget);
        let own = self.mini_program_of(connection)?;
        let result = self.wechat.phone_number(&own, code, None, budget).await;
        self.heard(connection, ip, &result).await;
        let number = result.map_err(wechat_refusal);
        let number = match number.and_then(|number| self.fresh_phone(&number).map(|_| number)) {
            Ok(number) => number,
            Err(refusal) => return Err(self.failed(application, connection, refusal, ip).await),
        };
        Ok(WechatPhone {
            phone_number: number.phone_number,
            pure_phone_number: number.pure_number,
            country_code: number.country_code,
            app_id: own.app_id,
            timestamp: number.watermark_timestamp,
        })
    }

    /// The phone number in the ciphertext of the old phone button.
    #[boxed]
    pub async fn phone_by_sealed_data<'a>(
        &'a self,
        application: &Application,
        connection: &Connection,
        code: &str,
        sealed: SealedData<'a>,
        ip: Option<&str>,
    ) -> Result<WechatPhoneOwner, Refusal> {
        let result = async {
            let _place = self.enter_lane(&application.pool, ip).await;
            let budget = Budget::of(self.limits.request_budget);
            let (session, spent) =
                self.mini_program_session(application, connection, code, ip, budget).await?;
            self.record_exchange(application, &spent).await?;
            let (phone, data) = self.open_phone(connection, &session, sealed)?;
            Ok(WechatPhoneOwner {
                phone: WechatPhone {
                    phone_number: data.phone_number.unwrap_or_else(|| phone.as_str().to_owned()),
                    pure_phone_number: phone.parts().1.to_owned(),
                    country_code: phone.parts().0.trim_start_matches('+').to_owned(),
                    app_id: self.mini_program_of(connection)?.app_id,
                    timestamp: data.watermark.map_or(0, |mark| mark.timestamp),
                },
                openid: session.openid.clone(),
                unionid: session.unionid.clone(),
            })
        };
        match result.await {
            Ok(done) => Ok(done),
            Err(refusal) => Err(self.failed(application, connection, refusal, ip).await),
        }
    }

    /// Decrypts data that WeChat encrypted for the mini program.
    #[boxed]
    pub async fn open_for_client<'a>(
        &'a self,
        application: &Application,
        connection: &Connection,
        code: &str,
        sealed: SealedData<'a>,
        ip: Option<&str>,
    ) -> Result<Map<String, Value>, Refusal> {
        let result = async {
            let _place = self.enter_lane(&application.pool, ip).await;
            let budget = Budget::of(self.limits.request_budget);
            let (session, spent) =
                self.mini_program_session(application, connection, code, ip, budget).await?;
            self.record_exchange(application, &spent).await?;
            self.open_sealed(connection, &session, sealed)
        };
        match result.await {
            Ok(done) => Ok(done),
            Err(refusal) => Err(self.failed(application, connection, refusal, ip).await),
        }
    }

    /// Logs and counts a failure.
    pub(crate) async fn failed(
        &self,
        application: &Application,
        connection: &Connection,
        refusal: Refusal,
        ip: Option<&str>,
    ) -> Refusal {
        log_refusal(application, connection, &refusal);
        self.count_failure(&application.pool, ip, refusal).await
    }
}
