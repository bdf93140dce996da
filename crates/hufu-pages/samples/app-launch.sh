# What the mini program sends back to the app that launched it (extMsg). Here the sandbox plays the phone.
sandbox=http://127.0.0.1:3100/__sandbox
who='{"app_id":"wx0de30de30de30001","user":"lin"}'
code=$(curl -s $sandbox/codes -d "$who" | jq -r .code)
phone=$(curl -s $sandbox/phone-codes -d "$who" | jq -r .code)

# What the app sends: the tokens come back, and the account has the number.
curl -s http://127.0.0.1:3000/api/v3/signin-by-mobile \
  -H "x-authing-app-id: 6560c0ffee00000000000005" -H "content-type: application/json" -d "{
    \"connection\": \"wechat_mini_program_code_and_phone\",
    \"extIdpConnidentifier\": \"demo-launch\",
    \"wechatMiniProgramCodeAndPhonePayload\": {
      \"wxLoginInfo\": { \"code\": \"$code\", \"iv\": \"\", \"encryptedData\": \"\" },
      \"wxPhoneInfo\": { \"code\": \"$phone\" }
    },
    \"options\": { \"scope\": \"openid profile phone offline_access\" }
  }" | jq .data
