# hier(7): daemons in sbin, programs of theirs in libexec.
include(GNUInstallDirs)
install(TARGETS jaild RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS jaildctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS jaild-shim RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/jaild)
if(TARGET jaild-pause)
  install(TARGETS jaild-pause RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/jaild)
endif()
