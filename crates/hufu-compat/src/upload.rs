//! Images: `POST /api/v2/upload` (without authentication, as the clients send it) and `GET /uploads/{name}`.

use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_app::Refusal;
use serde::Serialize;

use crate::envelope::Success;
use crate::request::{Head, Path, collect};
use crate::server::{self, Shared};
use crate::surface::{Answer, Reader, status_of};
use hufu_types::refusal::{Code, Reason};

/// The name of the multipart field that contains the file.
const FIELD: &str = "file";
/// Allowance for the bytes around the file in a multipart body.
const FRAMING: usize = 64 * 1024;
/// How many parts of a multipart body are read. The clients send one.
const PARTS: usize = 16;

/// The address of an uploaded image.
#[derive(Serialize)]
pub(crate) struct UploadAnswer {
    key: String,
    url: String,
}

/// Stores an uploaded image.
pub(crate) async fn upload(
    State(shared): server::State,
    head: Head,
    request: Request,
) -> Answer<Success<UploadAnswer>> {
    shared.app.admit_upload(head.ip.as_deref()).await?;
    let bytes = file(request, &shared).await?;
    let uploaded = shared.app.upload(bytes).await?;
    Ok(Success::new(UploadAnswer { key: uploaded.key, url: uploaded.url }))
}

async fn file(request: Request, shared: &Shared) -> Result<Vec<u8>, Refusal> {
    let wrong = || Refusal::invalid(FIELD, Reason::NotMultipart);
    let (parts, body) = request.into_parts();
    let limit = shared.app.limits().upload_bytes.saturating_add(FRAMING);
    let body = collect(&parts, body, limit, shared).await.map_err(|refusal| {
        if refusal.is(Code::BodyTooLarge) { Code::PictureTooLarge.into() } else { refusal }
    })?;
    let whole = Request::from_parts(parts, body.into());
    let mut multipart = Multipart::from_request(whole, &()).await.map_err(|_| wrong())?;
    for _ in 0..PARTS {
        let Some(field) = multipart.next_field().await.map_err(|_| wrong())? else { break };
        if field.name() == Some(FIELD) {
            return field.bytes().await.map(Into::into).map_err(|_| wrong());
        }
    }
    Err(wrong())
}

/// Serves an image that a user's photo refers to. The headers prevent it from being anything but displayed.
pub(crate) async fn serve(State(shared): server::State, Path(name): Path<String>) -> Answer<Response> {
    Ok(match shared.app.picture(&name).await? {
        Some(picture) => {
            let headers = [
                (header::CONTENT_TYPE, picture.content_type),
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
                (header::CACHE_CONTROL, "public, max-age=3600".to_owned()),
            ];
            (headers, picture.bytes).into_response()
        }
        None => no_picture(StatusCode::NOT_FOUND),
    })
}

/// Where a picture is expected, a refusal is its status. No cache may keep it in the picture's place.
pub(crate) fn refused(refusal: &Refusal, _: &Reader) -> Response {
    no_picture(status_of(refusal.code()))
}

fn no_picture(status: StatusCode) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")]).into_response()
}
