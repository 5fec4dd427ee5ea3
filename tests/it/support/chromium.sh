#!/bin/sh
# What ChromeDriver starts in place of Chromium: the same, but killed by the kernel as soon as ChromeDriver is gone.
exec setpriv --pdeathsig KILL -- /usr/bin/chromium "$@"
