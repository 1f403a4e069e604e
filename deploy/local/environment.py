"""The environment of every daemon, written as files that `scripts/service` loads."""

from __future__ import annotations

import os
import shlex

from . import coins, wallet_keys
from .layout import ROOT, SERVICES, Stack, write_private
from .secrets import read

DATABASE = "refrain"
CONFIG = ROOT / "deploy/config/refrain.yaml"
# What Payment takes of providers, nodes, wallets and a directory server, where whoever starts the stack has it.
OUTSIDE = frozenset(
    """
    STRIPE_SECRET_KEY STRIPE_PUBLISHABLE_KEY STRIPE_API_URL STRIPE_WEBHOOK_SECRET
    PAYPAL_CLIENT_ID PAYPAL_CLIENT_SECRET PAYPAL_API_URL PAYPAL_WEBHOOK_ID PAYPAL_CERT_ROOTS PAYPAL_CERT_ORIGINS
    CRYPTO_BITCOIN_XPUB CRYPTO_BITCOIN_URL CRYPTO_BITCOIN_CREDENTIALS CRYPTO_BITCOIN_WEBHOOK_SECRET
    CRYPTO_EVM_XPUB CRYPTO_EVM_URL CRYPTO_EVM_CREDENTIALS CRYPTO_EVM_WEBHOOK_SECRET
    GOOGLE_PAY_KEYS_PATH GOOGLE_PAY_ROOT_KEYS_PATH GOOGLE_PAY_MERCHANT_ID GOOGLE_PAY_GATEWAY_ID
    APPLE_PAY_KEYS_PATH APPLE_PAY_ROOTS_PATH APPLE_PAY_MERCHANT_ID APPLE_PAY_IDENTITY_CERTIFICATE_PATH
    APPLE_PAY_IDENTITY_KEY_PATH APPLE_PAY_DOMAIN_ASSOCIATION_PATH
    THREEDS_DIRECTORY_URL THREEDS_DECOUPLED THREEDS_ACQUIRER_BIN THREEDS_ACQUIRER_MERCHANT_ID THREEDS_MERCHANT_CATEGORY
    THREEDS_MERCHANT_COUNTRY THREEDS_MERCHANT_NAME THREEDS_REQUESTOR_ID THREEDS_REQUESTOR_NAME THREEDS_SERVER_REFERENCE
    """.split()
)


def write(stack: Stack) -> None:
    stack.env.mkdir(mode=0o700, parents=True, exist_ok=True)
    coins.write_config(stack, CONFIG.read_text())
    for service, instance in stack.daemons:
        write_private(stack.env / f"{service}-{instance}.env", render(daemon(stack, service, instance)))
    admin = {"REFRAIN_ADMIN_DB_URL": stack.admin_url(DATABASE)}
    write_private(stack.env / "admin.env", render(admin))


def daemon(stack: Stack, service: str, instance: int) -> dict[str, str]:
    values = {
        "REFRAIN_MODE": "sandbox",
        "REFRAIN_INSTANCE": f"{service}-{instance}",
        "REFRAIN_HOME": str(ROOT),
        "REFRAIN_BINARY": str(stack.binaries / f"{service}-service"),
        "BILLING_DB_URL": f"postgresql:///{DATABASE}?host={stack.postgres_home}&port={stack.postgres_port}",
        "REFRAIN_DB_PASSWORD": read(stack, f"db_{service}"),
        "KAFKA_BROKERS": f"127.0.0.1:{stack.kafka_port}",
        "REDIS_BILLING_URL": f"redis://127.0.0.1:{stack.redis_port}",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(stack.service_port(service, instance)),
        "REFRAIN_PUBLIC_URL": stack.gateway_url,
        "REFRAIN_PEERS": ",".join(f"{peer}={stack.service_url(peer)}" for peer in SERVICES),
        # One instance reads all partitions alone: with several, a batch would only arrive in pieces, and each piece costs
        # a pass through the services.
        "REFRAIN_KAFKA_PARTITIONS": "1" if stack.options.instances == 1 else "4",
        "REFRAIN_LOG_LEVEL": "info",
        # Past the supervisor, which would be woken for every line.
        "REFRAIN_LOG_FILE": str(stack.logs / f"{service}-{instance}.log"),
        # One heap for every thread would keep what each of them once needed.
        "MALLOC_ARENA_MAX": "2",
    }
    if service == "payment":
        values["ENCRYPTION_KEY_PATH"] = str(stack.secrets / "encryption_key")
        # Tests bring their own.
        if stack.name == "main":
            values |= {name: os.environ[name] for name in sorted(OUTSIDE) if os.environ.get(name)}
        values |= wallet_keys.environment(stack, values)
        if coins.are_ours(stack, values):
            values |= coins.environment(stack, *(read(stack, name) for name in (coins.SECRET, coins.ETHER_SECRET)))
    values.setdefault("REFRAIN_CONFIG", str(CONFIG))
    if stack.options.library_path:
        values["LD_LIBRARY_PATH"] = stack.options.library_path
    return values | stack.options.daemon_env


def render(values: dict[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
