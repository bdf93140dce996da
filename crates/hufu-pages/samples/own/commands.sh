hufu migrate --config hufu.toml
SHOP_SECRET=… hufu apply shop.toml --config hufu.toml     # prints what it changes; --dry-run only prints
hufu serve --config hufu.toml
