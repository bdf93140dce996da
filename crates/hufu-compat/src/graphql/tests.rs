//! Tests the schema against the documents of the published clients, and the shape of errors. There is no
//! request behind the resolvers, so they fail immediately with [`NO_REQUEST`]. That error shows that the
//! document and its arguments are valid.

use axum::body::to_bytes;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::surface::{ApiCode, Reader};
use hufu_types::Language;
use hufu_types::refusal::Code;

/// The fields that authing-js-sdk 4.15.8 selects of a user.
const USER: &str = "id arn userPoolId status username email emailVerified phone phoneVerified unionid openid nickname \
    registerSource photo password oauth token tokenExpiredAt loginsCount lastLogin lastIP signedUp blocked isDeleted \
    device browser company name givenName familyName middleName profile preferredUsername website gender birthdate \
    zoneinfo locale address formatted streetAddress locality region postalCode city province country createdAt \
    updatedAt externalId";
/// Further fields of a user that 4.23.55 selects in one call or another.
const NEWER: &str = "phoneCountryCode phoneCountryCode newlyCreated expiredAt directManagement mainDepartmentId \
    mainDepartmentCode customData { key value dataType label }";
const IDENTITY: &str = "openid userIdInIdp userId connectionId isSocial provider userPoolId";
const UDV: &str = "key dataType value label";
const NO_REQUEST: &str = "graphql::Call` does not exist";
const ID: &str = "6560c0ffee00000000000009";

async fn executed(request: async_graphql::Request) -> Vec<async_graphql::ServerError> {
    schema(false).execute(request).await.errors
}

fn request(body: &Value) -> Result<async_graphql::Request, Refusal> {
    prepare(body.to_string().as_bytes(), &Endpoint::new(false))
}

fn reader(language: Language) -> Reader {
    Reader { language, request_id: "a-request".into(), accepted: None, uses_dpop: false }
}

async fn answered(body: &Value, language: Language) -> Value {
    let response = match request(body) {
        Ok(request) => answer::executed(schema(false).execute(request).await, &reader(language)),
        Err(refusal) => answer::refused(&refusal, &reader(language)),
    };
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
}

/// `schema.graphql` is what clients can rely on. It leaves out descriptions, which may be reworded.
#[test]
fn the_schema() {
    let sdl = schema(false).sdl();
    let undescribed: String = sdl
        .split("\"\"\"\n")
        .step_by(2)
        .flat_map(str::lines)
        .fold(String::new(), |sdl, line| if line.trim().is_empty() { sdl } else { sdl + line + "\n" });
    assert!(undescribed == include_str!("schema.graphql"), "schema.graphql should be:\n{undescribed}");
}

#[tokio::test]
async fn the_documents_of_the_clients_are_valid() {
    let target = "targetType: $targetType, targetId: $targetId";
    let targets = "$targetType: UDFTargetType!, $targetId: String!";
    let own = json!({ "targetType": "USER", "targetId": ID, "key": "k", "value": "\"v\"" });
    let input =
        json!({ "nickname": "Bob", "photo": null, "blocked": true, "loginsCount": 1, "lastIP": "::1" });
    let documents = [
        (format!("query user($id: String) {{ user(id: $id) {{ {USER} identities {{ {IDENTITY} }} }} }}"), json!({})),
        (
            format!(
                "query user($id: String) {{ user(id: $id) {{ {USER} identities {{ {IDENTITY} type extIdpId \
                 userInfoInIdp accessToken refreshToken }} {NEWER} }} }}"
            ),
            json!({ "id": ID }),
        ),
        ("query ofNewerTypes($id: String!) { user(id: $id) { id } }".to_owned(), json!({ "id": ID })),
        (
            "query checkLoginStatus($token: String) { checkLoginStatus(token: $token) { code message status exp iat \
             data { id userPoolId arn } } }"
                .to_owned(),
            json!({ "token": null }),
        ),
        (format!("query udv({targets}) {{ udv({target}) {{ {UDV} }} }}"), own.clone()),
        (
            format!(
                "mutation updateUser($id: String, $input: UpdateUserInput!) {{ updateUser(id: $id, input: $input) \
                 {{ {USER} }} }}"
            ),
            json!({ "id": ID, "input": input }),
        ),
        (
            format!(
                "mutation updateUser($id: String, $input: UpdateUserInput!, $emailToken: String, $phoneToken: String) \
                 {{ updateUser(id: $id, input: $input, emailToken: $emailToken, phoneToken: $phoneToken) \
                 {{ {USER} {NEWER} }} }}"
            ),
            json!({ "input": { "mainDepartmentId": "1", "directManagement": "1", "phoneCountryCode": "+86" } }),
        ),
        ("mutation refreshToken($id: String) { refreshToken(id: $id) { token iat exp } }".to_owned(), json!({})),
        (
            format!(
                "mutation setUdv({targets}, $key: String!, $value: String!) {{ setUdv({target}, key: $key, value: \
                 $value) {{ {UDV} }} }}"
            ),
            own.clone(),
        ),
        (
            format!(
                "mutation setUdvBatch({targets}, $udvList: [UserDefinedDataInput!]) {{ setUdvBatch({target}, \
                 udvList: $udvList) {{ {UDV} }} }}"
            ),
            json!({ "targetType": "USER", "targetId": ID, "udvList": [{ "key": "k", "value": "1" }, { "key": "l" }] }),
        ),
        (
            format!("mutation removeUdv({targets}, $key: String!) {{ removeUdv({target}, key: $key) {{ {UDV} }} }}"),
            own.clone(),
        ),
    ];
    for (query, variables) in documents.into_iter().chain(credential_documents()) {
        let request = request(&json!({ "query": query, "variables": variables })).unwrap();
        let errors = executed(request).await;
        assert!(errors.len() == 1 && errors[0].message.contains(NO_REQUEST), "{query}\n{errors:?}");
    }
}

/// The documents that clients send to log in, to register and to change credentials.
#[expect(clippy::too_many_lines, reason = "one row per document")]
fn credential_documents() -> Vec<(String, Value)> {
    let profile = json!({
        "ip": "::1", "oauth": "{}", "username": "bob", "nickname": "Bob", "company": null, "photo": "", "device": "d",
        "browser": "b", "gender": "M", "city": "c", "phone": "1", "email": "e", "udf": [{ "key": "k", "value": "v" }],
    });
    let either = json!({ "clientIp": "::1", "params": "[]", "context": null });
    let with = |more: Value| {
        let mut all = either.as_object().unwrap().clone();
        all.extend(more.as_object().unwrap().clone());
        json!({ "input": all })
    };
    let by_password = json!({ "password": "p", "captchaCode": null, "autoRegister": true });
    let login = |name: &str| {
        let mut input = by_password.clone();
        input[name] = json!("bob");
        with(input)
    };
    let register = |mut more: Value| {
        more["profile"] = profile.clone();
        more["forceLogin"] = json!(false);
        more["generateToken"] = json!(true);
        with(more)
    };
    let of_input = [
        ("loginByEmail", "LoginByEmailInput", login("email")),
        ("loginByUsername", "LoginByUsernameInput", login("username")),
        ("loginByPhonePassword", "LoginByPhonePasswordInput", login("phone")),
        (
            "loginByPhoneCode",
            "LoginByPhoneCodeInput",
            with(json!({ "phone": "1", "code": "2", "autoRegister": null, "phoneCountryCode": "+86" })),
        ),
        (
            "registerByEmail",
            "RegisterByEmailInput",
            register(json!({ "email": "e", "password": "p", "phoneToken": null })),
        ),
        (
            "registerByUsername",
            "RegisterByUsernameInput",
            register(json!({ "username": "u", "password": "p" })),
        ),
        (
            "registerByPhoneCode",
            "RegisterByPhoneCodeInput",
            register(json!({ "phone": "1", "code": "2", "phoneCountryCode": "+1", "emailToken": null })),
        ),
    ];
    let of_input = of_input.map(|(name, input, variables)| {
        (
            format!("mutation {name}($input: {input}!) {{ {name}(input: $input) {{ {USER} {NEWER} }} }}"),
            variables,
        )
    });
    let account = json!({ "account": "bob", "password": "p", "captchaCode": null, "clientIp": "::1" });
    let phones = json!({ "phone": "1", "phoneCode": "2", "oldPhone": "3", "phoneCountryCode": "+86" });
    let emails = json!({ "email": "e", "emailCode": "2", "oldEmail": null });
    let reset = json!({ "email": "e", "code": "1", "newPassword": "p" });
    // Name, arguments, selection, variables.
    let others = [
        (
            "loginBySubAccount",
            "account: String!, password: String!, captchaCode: String, clientIp: String",
            USER,
            account,
        ),
        ("updatePassword", "newPassword: String!, oldPassword: String", USER, json!({ "newPassword": "p" })),
        (
            "updatePhone",
            "phone: String!, phoneCode: String!, oldPhone: String, oldPhoneCode: String, phoneCountryCode: String, \
             oldPhoneCountryCode: String",
            USER,
            phones.clone(),
        ),
        (
            "updateEmail",
            "email: String!, emailCode: String!, oldEmail: String, oldEmailCode: String",
            USER,
            emails.clone(),
        ),
        ("bindPhone", "phone: String!, phoneCode: String!, phoneCountryCode: String", USER, phones),
        ("bindEmail", "email: String!, emailCode: String!", USER, emails),
        ("unbindPhone", "", USER, json!({})),
        ("unbindEmail", "", USER, json!({})),
        (
            "resetPassword",
            "phone: String, email: String, code: String!, newPassword: String!, phoneCountryCode: String",
            "message code",
            reset,
        ),
        (
            "resetPasswordByFirstLoginToken",
            "token: String!, password: String!",
            "message code",
            json!({ "token": "t", "password": "p" }),
        ),
        (
            "resetPasswordByForceResetToken",
            "token: String!, oldPassword: String!, newPassword: String!",
            "message code",
            json!({ "token": "t", "oldPassword": "o", "newPassword": "p" }),
        ),
        (
            "sendFirstLoginVerifyEmail",
            "userId: String!, appId: String!",
            "message code",
            json!({ "userId": ID, "appId": ID }),
        ),
    ];
    let others = others.map(|(name, arguments, selection, variables)| {
        let (declared, passed) = signature(arguments);
        (format!("mutation {name}{declared} {{ {name}{passed} {{ {selection} }} }}"), variables)
    });
    let scenes = [
        "RESET_PASSWORD",
        "VERIFY_EMAIL",
        "CHANGE_EMAIL",
        "MFA_VERIFY",
        "RESET_PASSWORD_VERIFY_CODE",
        "FIRST_EMAIL_LOGIN_VERIFY",
        "CONSOLE_CONDUCTED_VERIFY",
        "EMAIL_BIND_VERIFY_CODE",
        "EMAIL_UNBIND_VERIFY_CODE",
        "VERIFY_CODE",
        "REGISTER_VERIFY_CODE",
        "LOGIN_VERIFY_CODE",
        "MFA_VERIFY_CODE",
        "INFORMATION_COMPLETION_VERIFY_CODE",
    ];
    let sends = scenes.map(|scene| {
        let query = "mutation sendEmail($email: String!, $scene: EmailScene!) { sendEmail(email: $email, scene: $scene) \
                     { message code } }";
        (query.to_owned(), json!({ "email": "e", "scene": scene }))
    });
    let queries = [
        (
            "query checkPasswordStrength($password: String!) { checkPasswordStrength(password: $password) { valid \
             message } }",
            json!({ "password": "p" }),
        ),
        (
            "query isUserExists($email: String, $phone: String, $username: String, $externalId: String) { \
             isUserExists(email: $email, phone: $phone, username: $username, externalId: $externalId) }",
            json!({ "username": "bob" }),
        ),
    ]
    .map(|(query, variables)| (query.to_owned(), variables));
    of_input.into_iter().chain(others).chain(sends).chain(queries).collect()
}

/// The arguments as the operation declares them, and as it passes them to the field.
fn signature(arguments: &str) -> (String, String) {
    if arguments.is_empty() {
        return (String::new(), String::new());
    }
    let pairs: Vec<_> = arguments.split(", ").filter_map(|pair| pair.split_once(": ")).collect();
    let join = |part: fn(&(&str, &str)) -> String| pairs.iter().map(part).collect::<Vec<_>>().join(", ");
    (
        format!("({})", join(|(name, kind)| format!("${name}: {kind}"))),
        format!("({})", join(|(name, _)| format!("{name}: ${name}"))),
    )
}

#[tokio::test]
async fn errors_are_objects() {
    let bodies = [
        json!({ "query": "{ user { id nonsense } }" }),
        json!({ "query": "query($id: Int) { user(id: $id) { id } }", "variables": { "id": 7 } }),
        json!({ "query": "query($token: String!) { checkLoginStatus(token: $token) { code } }" }),
        json!({
            "query": "mutation($input: UpdateUserInput!) { updateUser(input: $input) { id } }",
            "variables": { "input": { "nickname": 7 } },
        }),
        json!({
            "query": "mutation($input: UpdateUserInput!) { updateUser(input: $input) { id } }",
            "variables": { "input": { "isAdministrator": true } },
        }),
        json!({ "query": "mutation { loginByEmail(input: { email: \"a@example.com\" }) { id } }" }),
        json!({ "query": "subscription { user { id } }" }),
        json!({ "query": "{ user { id } }", "operationName": "another" }),
        json!({ "query": "{ __schema { types { name } } }" }),
        json!({ "query": "{" }),
        json!({ "query": "" }),
        json!({ "query": 7 }),
        json!({ "query": "{ user { id } }", "variables": [] }),
        json!({}),
        json!([]),
        json!("text"),
    ];
    for body in bodies {
        let answer = answered(&body, Language::English).await;
        assert_eq!(answer["data"], Value::Null, "{body}");
        let errors = answer["errors"].as_array().unwrap();
        assert!(!errors.is_empty(), "{body}");
        for error in errors {
            assert_eq!(error["message"]["code"], 2231, "{body}: {answer}");
            let text = error["message"]["message"].as_str().unwrap();
            assert!(text.starts_with("The request is not valid: ") && text.ends_with('.'), "{text}");
            assert!(!text.contains(NO_REQUEST), "a resolver was asked for {body}");
            assert!(!text.contains("Did you mean"), "the schema is nobody's business: {text}");
        }
    }
}

#[tokio::test]
async fn operations_that_are_not_served_are_told_so() {
    for query in [
        "{ nonsense }",
        "query roles($page: Int) { roles(page: $page) { totalCount } }",
        "mutation { createRole(code: \"admin\") { code } }",
        "mutation { user { id } }",
    ] {
        let answer = answered(&json!({ "query": query }), Language::English).await;
        assert_eq!(answer["errors"][0]["message"]["code"], 404, "{answer}");
        let text = answer["errors"][0]["message"]["message"].as_str().unwrap();
        assert!(text.contains("docs/clients.md"), "{text}");
    }
}

#[tokio::test]
async fn an_error_says_what_and_where() {
    let body = json!({ "query": "{ user { nonsense } }" });
    let expected = json!({
        "data": null,
        "errors": [{
            "message": { "code": 2231, "message": "请求参数有误：文档与接口的模式不符，详见 locations 和 extensions.detail。" },
            "locations": [{ "line": 1, "column": 10 }],
            "extensions": { "requestId": "a-request", "detail": "Unknown field \"nonsense\" on type \"User\"" },
        }],
    });
    assert_eq!(answered(&body, Language::SimplifiedChinese).await, expected);
}

#[tokio::test]
async fn many_errors_are_told_in_part() {
    let nonsense: Vec<String> = (0..100).map(|i| format!("f{i}")).collect();
    let query = format!("{{ user {{ {} }} }}", nonsense.join(" "));
    let answer = answered(&json!({ "query": query }), Language::SimplifiedChinese).await;
    assert_eq!(answer["errors"].as_array().unwrap().len(), 10);

    let body = json!({
        "query": "mutation($input: UpdateUserInput!) { updateUser(input: $input) { id } }",
        "variables": { "input": { "nickname": ["x".repeat(100_000)] } },
    });
    assert!(answered(&body, Language::SimplifiedChinese).await.to_string().len() < 2_000);
}

#[tokio::test]
async fn a_refusal_of_the_application_keeps_its_code() {
    let refusal = Refusal::from(Code::NotYourself);
    let error = async_graphql::Error::from(refusal).into_server_error(async_graphql::Pos::default());
    let errors = async_graphql::Response::from_errors(vec![error]);
    let response = answer::executed(errors, &reader(Language::English));
    assert_eq!(response.extensions().get::<ApiCode>().unwrap().0, 1001);
    let body: Value = serde_json::from_slice(&to_bytes(response.into_body(), 4096).await.unwrap()).unwrap();
    assert_eq!(body["errors"][0]["message"]["code"], 1001);
    assert_eq!(body["errors"][0]["extensions"]["requestId"], "a-request");
}

#[tokio::test]
async fn type_names_may_be_asked_for() {
    let answer =
        answered(&json!({ "query": "{ __typename }", "variables": null }), Language::SimplifiedChinese).await;
    assert_eq!(answer, json!({ "data": { "__typename": "Query" } }));
}

#[tokio::test]
async fn the_schema_answers_tools_where_introspection_is_on() {
    let query = "query IntrospectionQuery { __schema { queryType { name } mutationType { name } types { ...FullType } } } \
        fragment FullType on __Type { kind name fields(includeDeprecated: true) { name args { ...InputValue } type { \
        ...TypeRef } } inputFields { ...InputValue } enumValues { name } } \
        fragment InputValue on __InputValue { name type { ...TypeRef } defaultValue } \
        fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind \
        name } } } } }";
    let bytes = json!({ "query": query }).to_string();
    let response = schema(true).execute(prepare(bytes.as_bytes(), &Endpoint::new(true)).unwrap()).await;
    assert!(response.errors.is_empty(), "{:?}", response.errors);
    assert!(prepare(bytes.as_bytes(), &Endpoint::new(false)).is_err());
}
