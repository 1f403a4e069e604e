import InvoiceService
import ServiceKit

await runService(InvoiceAssembly.self)
