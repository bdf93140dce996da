//! What the tests of the shop's configuration share.

use hufu_testkit::administration::Reply;
use hufu_testkit::world::SHOP;

/// A path below the shop.
pub(crate) fn at(rest: &str) -> String {
    format!("/admin/v1/pools/{SHOP}{rest}")
}

/// The fields of the problems of a refusal, sorted.
#[track_caller]
pub(crate) fn fields(reply: Reply) -> Vec<String> {
    let body = reply.is(422);
    assert_eq!(body["code"], 2456, "{body}");
    let problems = body["problems"].as_array().unwrap().iter();
    let mut fields: Vec<String> = problems.map(|it| it["field"].as_str().unwrap().to_owned()).collect();
    fields.sort();
    fields
}
