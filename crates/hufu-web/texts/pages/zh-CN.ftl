# 布局与拒绝页的文字
page-brand = 虎符
page-skip = 跳到主要内容
page-language = 语言
page-theme = 深浅色
page-theme-auto = 跟随系统
page-theme-light = 浅色
page-theme-dark = 深色
page-copy = 复制
page-copied = 已复制

refused-request = 请求编号
refused-time = 时间
refused-code = 代码
refused-retry = 再试一次
refused-do-support = 仍不行？把下面的请求编号发给管理员，他们能查到原因。

refused-not-found =
    .title = 这里没有页面
    .text = 这个地址下什么也没有：可能写错了，也可能已经搬走。
    .do-1 = 核对地址，留意大小写和结尾的斜杠。
    .do-2 = 如果是从应用里点进来的，请回到应用重新打开。

refused-not-for-looking =
    .title = 这个地址不能直接打开
    .text = 它只接收应用发来的请求，没有可看的内容。
    .do-1 = 回到应用，从那里重新开始。

refused-broken =
    .title = 服务器出了问题
    .text = 这是我们的错，不是你的。你的账号没有受影响。
    .do-1 = 稍等片刻，再试一次。

refused-foreign-host =
    .title = 开发服务只回应本机
    .text = 你用的域名不是这台电脑自己的名字，所以请求被拒绝了。
    .do-1 = 把地址里的域名换成 localhost 或 127.0.0.1。

refused-form =
    .title = 这张表单已经失效
    .text = 页面打开得太久，或者表单不是从本站的页面提交的。什么都没有改变。
    .do-1 = 返回上一页，刷新，再提交一次。
    .do-2 = 如果又看到这一页，请允许浏览器为本站保存 Cookie，并关闭无痕模式。

refused-form-too-large =
    .title = 提交的内容太大
    .text = 表单超过了允许的大小，没有保存。
    .do-1 = 返回上一页，缩短内容或换一个更小的文件。

refused-form-unreadable =
    .title = 表单没有填完整
    .text = 提交的内容缺少必要的项目，没有保存。
    .do-1 = 返回上一页，刷新，重新填写。
