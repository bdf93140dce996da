# What the mini program sends back to the app that launched it (extMsg). Here the sandbox plays the phone.
curl -s http://127.0.0.1:3000/ >/dev/null
