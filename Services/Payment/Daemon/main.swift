import PaymentService
import ServiceKit

await runService(PaymentAssembly.self)
