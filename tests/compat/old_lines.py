"""Old lines of HAProxy's configuration and what they are today, by their row of what HAProxy has dropped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Old:
    """One old line and its translation."""

    row: str  # the keyword that the table of dropped keywords has
    section: str
    line: str
    new: tuple[str, ...]
    mode: str = "http"


TRANSLATED = (
    Old("contimeout", "backend", "contimeout 5000", ("timeout connect 5000",)),
    Old("contimeout", "defaults", "timeout contimeout 5s", ("timeout connect 5s",)),
    Old("clitimeout", "defaults", "clitimeout 50000", ("timeout client 50000",)),
    Old("clitimeout", "frontend", "timeout clitimeout 5s", ("timeout client 5s",)),
    Old("srvtimeout", "backend", "srvtimeout  50000", ("timeout server 50000",)),
    Old("srvtimeout", "defaults", "timeout srvtimeout 5s", ("timeout server 5s",)),
    Old("redispatch", "defaults", "redispatch", ("option redispatch",)),
    Old("redispatch", "backend", "redisp", ("option redispatch",)),
    Old("redispatch", "backend", "option allredisp", ("option redispatch",)),
    Old("reqadd", "frontend", r"reqadd X-Proto:\ https", ("http-request add-header X-Proto https",)),
    Old("reqadd", "backend", r"reqadd X-A:\ 50%\ off", ("http-request add-header X-A '50%% off'",)),
    Old(
        "reqadd",
        "frontend",
        r"reqadd X-A:\ b unless { src 10.0.0.0/8 } { method POST } || { path /x }",
        ("http-request add-header X-A b if !{ src 10.0.0.0/8 } !{ path /x } || !{ method POST } !{ path /x }",),
    ),
    Old("rspadd", "backend", r"rspadd X-Served:\ yes", ("http-response add-header X-Served yes",)),
    Old(
        "reqrep",
        "frontend",
        r"reqrep ^([^\ :]*)\ /static/(.*)  \1\ /\2",
        (r"http-request replace-pathq ^/static/(.*) '/\1'",),
    ),
    Old(
        "reqrep",
        "backend",
        r"reqrep ^([^\ ]*)\ /a/(b|c)/(.*)\ (.*) \1\ /\3/\2\ \4",
        (r"http-request replace-pathq '^/a/(b|c)/(.*)$' '/\2/\1'",),
    ),
    Old(
        "reqrep",
        "frontend",
        r"reqrep ^GET\ /old\ HTTP/1.[01] GET\ /new\ HTTP/1.1",
        ("http-request replace-pathq '^/old$' /new if { method GET }",),
    ),
    Old(
        "reqrep",
        "frontend",
        r"reqrep ^(GET|HEAD)\ /([^/\ ]*)/x(.*) \1\ /x/\2\3 if { hdr(host) a } || { hdr(host) b }",
        (
            r"http-request replace-pathq '^/([^/ ]*)/x(.*)' '/x/\1\2' "
            r"if { method GET HEAD } { hdr(host) a } || { method GET HEAD } { hdr(host) b }",
        ),
    ),
    Old(
        "reqrep",
        "frontend",
        r"reqrep ^Host:\ www\.(.*) Host:\ \1",
        (r"http-request replace-header Host '^www\.(.*)' '\1'",),
    ),
    Old(
        "reqirep",
        "frontend",
        r"reqirep ^Host:[\ ]*www\.(.*)$ Host:\ \1",
        (r"http-request replace-header Host '(?i)^www\.(.*)$' '\1'",),
    ),
    Old(
        "reqirep",
        "frontend",
        r"reqirep ^(\S+)\ /OLD(.*) \1\ /new\2",
        (r"http-request replace-pathq (?i)^/OLD(.*) '/new\1'",),
    ),
    Old(
        "rsprep",
        "backend",
        r"rsprep ^Location:\ http://(.*) Location:\ https://\1",
        (r"http-response replace-header Location ^http://(.*) 'https://\1'",),
    ),
    Old(
        "rsprep",
        "backend",
        r"rspirep ^Set-Cookie:\ (.*) Set-Cookie:\ \1;\ Secure",
        (r"http-response replace-header Set-Cookie (?i)^(.*) '\1; Secure'",),
    ),
    Old("reqidel", "frontend", "reqidel ^X-Forwarded-For:.*", ("http-request del-header X-Forwarded-For",)),
    Old("reqidel", "frontend", "reqdel ^X-Forwarded-.*", ("http-request del-header X-Forwarded- -m beg",)),
    Old(
        "rspidel",
        "backend",
        "rspidel ^(Server|X-Powered-By):.*",
        ("http-response del-header Server", "http-response del-header X-Powered-By"),
    ),
    Old("rspidel", "backend", "rspdel ^Server", ("http-response del-header Server -m beg",)),
    Old(
        "reqideny",
        "frontend",
        r"reqideny ^[^:\ ]*\ .*cmd\.exe",
        (
            "http-request set-var-fmt(txn.longshore_request_line) '%[method] %[pathq] HTTP/%[req.ver]'",
            r"http-request deny if { var(txn.longshore_request_line) -m reg -i -- '^[^: ]* .*cmd\.exe' }",
        ),
    ),
    Old(
        "reqideny",
        "frontend",
        r"reqdeny ^Host:\ evil\.",
        (r"http-request deny if { req.fhdr(Host) -m reg -- '^evil\.' }",),
    ),
    Old(
        "reqideny",
        "backend",
        r"rspdeny ^Set-Cookie:.*secret",
        ("http-response deny if { res.fhdr(Set-Cookie) -m reg -- .*secret }",),
    ),
    Old("reqideny", "frontend", "reqideny ^X-Attack:", ("http-request deny if { req.fhdr(X-Attack) -m found }",)),
    Old(
        "reqtarpit",
        "frontend",
        r"reqitarpit ^User-Agent:.*bad\ bot",
        ("http-request tarpit if { req.fhdr(User-Agent) -m reg -i -- '.*bad bot' }",),
    ),
    Old(
        "block",
        "frontend",
        "block if { path /x } or { src 10.0.0.1 }",
        ("http-request deny if { path /x } or { src 10.0.0.1 }",),
    ),
    Old("option forceclose", "defaults", "option forceclose", ("option httpclose",)),
    Old("option forceclose", "frontend", "no option forceclose", ("no option httpclose",)),
    Old("http-tunnel", "frontend", "option http-tunnel", ()),
    Old("http-tunnel", "backend", "no option http-tunnel", ()),
    Old(
        "option http_proxy",
        "backend",
        "option http_proxy",
        ("http-request set-dst url_ip", "http-request set-dst-port url_port"),
    ),
    Old("option http_proxy", "defaults", "no option http_proxy", ()),
    Old("monitor-net", "frontend", "monitor-net 10.0.0.0/8", ("http-request return status 200 if { src 10.0.0.0/8 }",)),
    Old(
        "monitor-net",
        "frontend",
        "monitor-net 10.0.0.0/8",
        ("tcp-request connection reject if { src 10.0.0.0/8 }",),
        mode="tcp",
    ),
    Old("mode health", "frontend", "mode health", ("mode http", "http-request return status 200")),
    Old("mode health", "backend", "mode health", ("mode http",)),
    Old("nbproc", "global", "nbproc 2", ("nbthread 2",)),
    Old(
        "appsession",
        "backend",
        "appsession JSESSIONID len 52 timeout 3h request-learn",
        (
            "stick-table type string len 52 size 200k expire 3h",
            "stick store-response res.cook(JSESSIONID)",
            "stick on req.cook(JSESSIONID)",
        ),
    ),
    Old(
        "appsession",
        "backend",
        "appsession id len 10 timeout 1h mode path-parameters",
        (
            "stick-table type string len 10 size 200k expire 1h",
            "stick store-response res.cook(id)",
            "stick match urlp(id,;)",
        ),
    ),
    Old("tune.chksize", "global", "tune.chksize 32768", ("tune.bufsize 32768",)),
    Old("tune.chksize", "global", "tune.chksize 8192", ()),
    Old("debug", "global", "debug", ()),
    Old("debug", "global", "quiet", ()),
    Old("daemon", "global", "daemon", ()),
    Old("daemon", "global", "pidfile /run/haproxy.pid", ()),
    Old("master-worker", "global", "master-worker", ()),
    Old("tcpsplice", "frontend", "option tcpsplice", ("option splice-auto",), mode="tcp"),
    Old("http-use-htx", "defaults", "no option http-use-htx", ()),
    Old("http-use-htx", "defaults", "option http-use-htx", ()),
    Old("grace", "frontend", "grace 5s", ()),
    Old("bind-process", "backend", "bind-process 1-2", ()),
    Old("process N", "global", "stats bind-process 1", ()),
    Old(
        "process N",
        "global",
        "stats socket /tmp/longshore-test.sock mode 600 level admin process 1",
        ("stats socket /tmp/longshore-test.sock mode 600 level admin",),
    ),
    Old("process N", "bind", "maxconn 10 process 1/2", ("maxconn 10 thread 2",)),
    Old("process N", "bind", "process all", ()),
    Old(
        "option httpchk",
        "backend",
        r"option httpchk GET /x HTTP/1.1\r\nHost:\ a.test\r\nUser-Agent:\ b\ c",
        ("option httpchk", "http-check send meth GET uri /x ver HTTP/1.1 hdr Host a.test hdr User-Agent 'b c'"),
    ),
    Old(
        "option httpchk",
        "defaults",
        r"option httpchk POST /x HTTP/1.0\r\nContent-Type:\ text/plain\r\n\r\nhello\ you",
        (
            "option httpchk",
            "http-check send meth POST uri /x ver HTTP/1.0 hdr Content-Type text/plain body 'hello you'",
        ),
    ),
    Old("http-check expect", "backend", "http-check expect string Hello world", ("http-check expect string Hello",)),
    Old("dispatch", "backend", "dispatch 127.0.0.1:1", ("server dispatch 127.0.0.1:1",)),
    Old("option transparent", "backend", "option transparent", ("server transparent 0.0.0.0",)),
    Old("option transparent", "backend", "transparent", ("server transparent 0.0.0.0",)),
    Old("option transparent", "defaults", "no option transparent", ()),
    Old("ring size", "ring", "size 8192", ("size 16384",)),
    Old("stats timeout", "global", "stats timeout 30s", ()),
    Old("stats timeout", "global", "stats maxconn 10", ()),
    Old("server init-addr", "server", "check init-addr none resolvers docker", ("check",)),
    Old("server-state-file", "global", "server-state-file /var/lib/haproxy/state", ()),
)

KEPT = (
    *(
        ("frontend", line)
        for line in ("option httpclose", "redirect scheme https if { path_beg /x }", "monitor-uri /up")
    ),
    *(("frontend", line) for line in ("acl a hdr_dom(host) -i a.test", "capture cookie X len 10", "option httplog")),
    *(("backend", line) for line in ("stats refresh 5s", "stats auth a:b", "stats uri /s", "stats admin if TRUE")),
    *(("backend", line) for line in ("cookie SRV insert indirect nocache", "balance roundrobin", "stats scope .")),
    *(("backend", line) for line in ("option httpchk GET /x", "http-check expect string Hello", "mode http")),
    *(("backend", line) for line in ("http-check expect ! string Hello", "retries 3", "source 0.0.0.0")),
    *(("global", line) for line in ("maxconn 4096", "log 127.0.0.1 local0", "grace 5s", "spread-checks 2")),
    *(("global", line) for line in ("stats socket /tmp/longshore-test.sock mode 600", "nbthread 2")),
    ("server", "check inter 2s rise 3 fall 2 weight 5"),
    ("bind", "ssl crt /x.pem accept-proxy"),
    ("ring", "size 32768"),
)
"""Lines that are still good, and stay as they are."""

REFUSED = (
    ("reqrep", "frontend", r"reqrep ^([^\ ]*)\ /a/(.*) \1\ /b"),  # the version of the request line would be lost
    ("reqrep", "frontend", r"reqrep ^([^\ ]*)\ /a/.*/(.*) \1\ /b/\2"),  # ".*" may run into HTTP/1.1
    ("reqrep", "frontend", r"reqrep ^([^\ ]*)\ /a/([^/]*)(.*) \1\ /b/\2\3"),
    ("reqrep", "frontend", r"reqrep ^[^\ ]*\ /a(.*) GET\ /b\1"),  # changes the method
    ("reqrep", "frontend", r"reqrep ^([^\ ]*)\ /a(.*) \1\ /\1\2"),  # the method in the path
    ("reqrep", "frontend", r"reqrep ^X-A:\ (.*) X-B:\ \1"),
    ("reqrep", "frontend", "reqrep evil good"),
    ("reqrep", "frontend", "reqrep ^x"),
    ("reqrep", "frontend", r"reqrep ^([^\ ]*)\ /a(.*) \1\ /b\2 when { path /x }"),
    ("reqrep", "frontend", r"reqrep ^([^\ ]*)\ /a(.*) \1\ /b\2 if { path /x"),
    ("rsprep", "backend", r"rsprep ^HTTP/1.1\ 404 HTTP/1.1\ 200"),
    ("reqidel", "frontend", r"reqidel ^Cookie:\ foo"),
    ("reqideny", "frontend", "reqideny evil"),
    ("reqideny", "frontend", "reqideny ^Host:evil"),
    ("reqpass", "frontend", r"reqipass ^Host:\ a"),
    ("reqpass", "frontend", r"reqallow ^Host:\ a"),
    ("reqsetbe", "frontend", r"reqisetbe ^Host:\ a b"),
    ("reqadd", "defaults", r"reqadd X:\ y"),
    ("reqadd", "frontend", "reqadd nonsense"),
    ("option http_proxy", "defaults", "option http_proxy"),
    ("monitor-net", "defaults", "monitor-net 10.0.0.0/8"),
    ("mode health", "defaults", "mode health"),
    ("option transparent", "defaults", "option transparent"),
    ("option lb-agent-chk", "backend", "option lb-agent-chk"),
    ("appsession", "backend", "appsession X len 5 timeout 3h prefix"),
    ("appsession", "backend", "appsession X timeout 3h"),
    ("server redir", "server", "check redir http://a"),
    ("server track", "server", "track other/one"),
    ("quotes", "frontend", r"block if { path 'x }"),
    ("quotes", "frontend", 'block if { path "$HOME" }'),
)
