export const VENDOR_NAME = "Nativus"

export const limits = {
	openTabs: 20,
	visibleFiles: 200,
	labels: ["first label", "last label"],
} as const

export default VENDOR_NAME
