//! What people do with their phones, for tests in the same process.

use crate::acts::mini::{MiniLogin, PhoneChoice};
use crate::acts::push::Delivery;
use crate::acts::scan::resolve;
use crate::acts::{account, web};
use crate::control::phone::{ScanAction, pending_codes, run_mini_login, scanned};
use crate::{ControlError, Push, Sandbox, Settings, SettingsPatch, UserView};

impl Sandbox {
    /// Opens an authorization link (`/connect/oauth2/authorize` or `/connect/qrconnect`) as a person who agrees or
    /// refuses at once. Returns where WeChat sends the browser, or `None` if nowhere.
    pub fn authorize(&self, link: &str, user: &str, consent: bool) -> Result<Option<String>, ControlError> {
        let person = self.state.people.named(user)?;
        web::authorize_link(&self.state, link, &person, consent, None)
    }

    /// Scans the QR code of a website's login page and confirms it. `uuid` is the page's, or the address in its
    /// picture. Returns where the page goes.
    pub fn confirm_web_login(&self, uuid: &str, user: &str) -> Result<Option<String>, ControlError> {
        let person = self.state.people.named(user)?;
        let uuid = uuid.rsplit_once("uuid=").map_or(uuid, |(_, uuid)| uuid);
        Ok(web::return_address(&web::decide(&self.state, uuid, &person, true)?))
    }

    /// Scans any code: by its ticket, by what its picture says, by the picture's address, or by its scene. A follower
    /// is greeted with `SCAN`, anybody else follows. Returns what `POST /__sandbox/scan` answers.
    pub async fn scan(
        &self,
        code: &str,
        user: &str,
        delivery: &Delivery,
    ) -> Result<serde_json::Value, ControlError> {
        let person = self.state.people.named(user)?;
        let target = resolve(&self.state, code).ok_or(ControlError::UnknownQrCode)?;
        scanned(&self.state, target, &person, ScanAction::Confirm, delivery).await
    }

    /// Follows an official account without a QR code. `None` if the person follows already.
    pub async fn follow(
        &self,
        app_id: &str,
        user: &str,
        delivery: &Delivery,
    ) -> Result<Option<Push>, ControlError> {
        let (app, person) = (self.state.app(app_id)?, self.state.people.named(user)?);
        account::follow(&self.state, &app, &person, None, delivery).await
    }

    /// Stops following an official account.
    pub async fn unfollow(
        &self,
        app_id: &str,
        user: &str,
        delivery: &Delivery,
    ) -> Result<Push, ControlError> {
        let (app, person) = (self.state.app(app_id)?, self.state.people.named(user)?);
        account::unfollow(&self.state, &app, &person, delivery).await
    }

    /// Writes to an official account that the person follows.
    pub async fn message(
        &self,
        app_id: &str,
        user: &str,
        text: &str,
        delivery: &Delivery,
    ) -> Result<Push, ControlError> {
        let (app, person) = (self.state.app(app_id)?, self.state.people.named(user)?);
        account::say(&self.state, &app, &person, text, delivery).await
    }

    /// Taps the menu of an official account that the person follows: `CLICK` with this key, or `VIEW` if it is an
    /// http or https link.
    pub async fn tap_menu(
        &self,
        app_id: &str,
        user: &str,
        key: &str,
        delivery: &Delivery,
    ) -> Result<Push, ControlError> {
        let (app, person) = (self.state.app(app_id)?, self.state.people.named(user)?);
        account::tap_menu(&self.state, &app, &person, key, delivery).await
    }

    /// The people with a name, with their ids in every app.
    pub fn users(&self) -> Vec<UserView> {
        self.state.people.all().iter().map(|person| self.state.view(person)).collect()
    }

    /// The codes that a phone can scan now, as `GET /__sandbox/pending` answers them.
    pub fn pending(&self) -> serde_json::Value {
        pending_codes(&self.state)
    }

    /// The pushed messages after number `after`, oldest first.
    pub fn pushes(&self, after: u64) -> Vec<Push> {
        self.state.pushes.after(after)
    }

    /// Runs the login mini program with the scene of a code, or with none, against
    /// [`Settings::login_mini_program_host`].
    pub async fn mini_login(
        &self,
        app_id: &str,
        user: &str,
        scene: &str,
        phone: PhoneChoice,
    ) -> Result<MiniLogin, ControlError> {
        let (app, person) = (self.state.app(app_id)?, self.state.people.named(user)?);
        run_mini_login(&self.state, &app, &person, scene, phone).await
    }

    /// The settings.
    pub fn settings(&self) -> Settings {
        Settings::clone(&self.state.settings())
    }

    /// Changes the settings.
    pub fn change_settings(&self, patch: SettingsPatch) -> Result<Settings, ControlError> {
        Ok(Settings::clone(&*self.state.patch_settings(patch)?))
    }
}
