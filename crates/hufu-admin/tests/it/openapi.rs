//! The OpenAPI document as integrators get it: docs/openapi.json, so that every change of the API is seen in review.

use hufu_testkit::TestDatabase;
use hufu_testkit::administration::call;
use hufu_testkit::world::World;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn docs_openapi_json_is_what_is_served() {
    let world = World::new(TestDatabase::sqlite()).await;
    let served = call(&world, None, "GET", "/admin/v1/openapi.json", None).await.is(200);
    let served = serde_json::to_string_pretty::<Value>(&served).unwrap() + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    if committed != served {
        // Not written into docs/: whoever changes the API is to look at the change.
        let new = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
        std::fs::write(&new, &served).unwrap();
        panic!(
            "docs/openapi.json is not what is served: compare it with {} and copy that over it",
            new.display()
        );
    }
}
