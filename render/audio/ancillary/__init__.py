"""What travels in copied sound without being sound: one module a codec, and the table of them in `codecs`."""
