# What wx.login returns. Here the sandbox plays the phone.
code=$(curl -s http://127.0.0.1:3100/__sandbox/codes \
  -d '{"app_id":"wx0de30de30de30001","user":"lin"}' | jq -r .code)

# What loginByCode sends: the user, and a token for your own back end.
curl -s http://127.0.0.1:3000/connections/social/wechat-miniprogram/auth \
  -H "x-authing-app-id: 6560c0ffee00000000000002" \
  -H "content-type: application/json" -d "{\"code\":\"$code\"}" | jq .data
